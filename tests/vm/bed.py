"""Our daemon on the two machines: configuration, starting, and everything that happens with its time.

Log lines of the daemons and comings and goings of the floating address leave the guests over their consoles
and get the host's time on arrival, so that what happens on the two machines can be compared to some
milliseconds.
"""
import contextlib
import itertools
import os
import re
import threading
import time

from machines import VmError, Pair
from wires import now
from witness import Witness

ADDRESS = '10.77.0.100'
NODES = ('node-a', 'node-b')
LINKS = {'serial': '/dev/ttyS0', 'eth0': 'eth0', 'eth1': 'eth1'}
ALL_LINKS = 'baud 19200\nserial /dev/ttyS0\nbcast eth0\nbcast eth1'
HA_CF = '''logfile /var/log/ha-log
keepalive {keepalive}
warntime {warntime}
deadtime {deadtime}
initdead {initdead}
{media}
{extra}
auto_failback off
node node-a node-b
'''


class Bed(Pair):
    """Booted machines, on which one case after the other sets up its daemons: see `bed`."""
    programs, guests, scratch = None, None, None    # set by cases.py
    number, boots_made, current = itertools.count(1), 0, None

    def __init__(self, hardware):
        def program(name):
            with open(os.path.join(self.programs, name), 'rb') as f:
                return f.read(), 0o755
        hardware = dict(hardware)
        files = {'both': {'/usr/sbin/heartbeat': program('heartbeat'), '/usr/bin/cl_status': program('cl_status'),
                          **hardware.pop('more')}}
        self.conf = {'a': {}, 'b': {}}      # what the case has put on each machine
        self.told = {'a': [], 'b': []}      # (host time, line)
        super().__init__(self.guests, os.path.join(self.scratch, f'pair{next(self.number)}'), NODES, files,
                         persist=['/var/lib/heartbeat', '/var/log'], **hardware)
        for m in self.both():
            threading.Thread(target=self.listen, args=(m,), daemon=True).start()
        self.up()
        for m in self.both():
            self.watch(m)
        self.witness = Witness(self, ADDRESS)

    def furnish(self, media=ALL_LINKS, media_b=None, keepalive='500ms', warntime='1500ms', deadtime='4',
                initdead='10', extra='', resources='', start=True):
        """Both daemons anew, with all wires as they should be; `resources` come after the address."""
        for wire in self.wires:
            self.restore(wire)
        for m, links in ((self.a, media), (self.b, media_b or media)):
            self.conf[m.name] = {
                '/etc/ha.d/ha.cf': HA_CF.format(media=links, keepalive=keepalive, warntime=warntime,
                                                deadtime=deadtime, initdead=initdead, extra=extra),
                '/etc/ha.d/authkeys': 'auth 1\n1 sha256 only-for-the-tests\n',
                '/etc/ha.d/haresources': f'node-a IPaddr::{ADDRESS}/24/eth0 {resources}\n'}
            self.halt(m)
            m.sh('rm -f /var/log/ha-log /tmp/*')
            self.put(m)
        if self.holder():
            raise VmError(f'a stopped pair has the address on {self.holder()}')
        for lines in self.told.values():
            lines.clear()
        if start:
            self.begin()

    def begin(self):
        """Starts both daemons; waits until all links are up and the first machine has the address."""
        begin = now()
        self.launch(self.a)
        # On a busy host one could be up seconds before the other, and have taken what that prefers.
        self.wait_line('a', begin, 'Local status now set to', 60)
        self.launch(self.b)
        if self.until(lambda: self.all_up() and self.holder() == 'a', 120) is None:
            raise VmError('the pair did not come up')

    def put(self, m):
        m.sh('mkdir -p /etc/ha.d')
        for path, text in self.conf[m.name].items():
            m.sh(f"cat >{path} <<'END-OF-FILE'\n{text}END-OF-FILE\nchmod 600 {path}")

    def both(self):
        return self.a, self.b

    def other(self, m):
        return self.b if m is self.a else self.a

    def owner(self):
        return self.machine_named(self.holder())

    def machine_named(self, name):
        return {'a': self.a, 'b': self.b}[name]

    # -- what is done to the daemons

    def watch(self, m):
        m.sh(f'/vm/tool watch {ADDRESS} >/dev/ttyS1 2>&1 &')

    def launch(self, m):
        m.sh('(heartbeat -f 2>&1 </dev/null | cat >/dev/ttyS1) &')

    def halt(self, m):
        """Stops its daemon, if it runs."""
        m.run('heartbeat -k; while pidof heartbeat >/dev/null; do sleep 0.1; done', 60)

    def come_back(self, m, boot):
        """After a reset: wait for the machine, start its daemon; seconds until all links are up."""
        m.wait_boot(boot, 240)
        self.put(m)
        self.watch(m)
        self.launch(m)
        return self.until(self.all_up, 120)

    # -- what they do

    def listen(self, m):
        rest = b''
        while not os.path.exists(m.console):
            time.sleep(0.02)
        with open(m.console, 'rb') as f:
            while self.loop.going:
                rest += f.read()
                *lines, rest = rest.split(b'\n')
                for line in lines:
                    self.told[m.name].append((now(), line.decode('utf-8', 'replace').rstrip('\r')))
                time.sleep(0.005)

    def lines(self, name, since, pattern=''):
        return [(t, line) for t, line in list(self.told[name]) if t >= since and re.search(pattern, line)]

    def wait_line(self, name, since, pattern, timeout=30):
        """Seconds from `since` to the first such line."""
        if self.until(lambda: self.lines(name, since, pattern), timeout) is None:
            return None
        return self.lines(name, since, pattern)[0][0] - since

    def until(self, question, timeout):
        """Seconds until the answer is yes, or None."""
        start = now()
        while now() - start < timeout:
            try:
                if question():
                    return now() - start
            except VmError:
                pass
            time.sleep(0.05)
        return None

    def links(self, m):
        peer = NODES[1 - m.side]
        text = m.sh(f'for l in $(cl_status listhblinks {peer}); do echo $l $(cl_status hblinkstatus {peer} $l); done')
        return dict(x.split(' ', 1) for x in text.split('\n') if ' ' in x)

    def all_up(self):
        return all(set(self.links(m).values()) == {'up'} for m in self.both())

    def holder(self):
        """Who has the address: '', 'a', 'b' or 'ab'."""
        return ''.join(m.name for m in self.both() if ADDRESS in m.sh('ip -4 addr show dev eth0'))

    def gone(self, m, at=None):
        """The machine is off or reset, and its address with it."""
        self.told[m.name].append((at or now(), '- ' + ADDRESS + ' reset'))

    def held(self, name):
        """From when to when the address was there."""
        held, since = [], None
        for t, line in sorted(self.lines(name, 0, r'^[+-] ' + re.escape(ADDRESS))):
            if line[0] == '+' and since is None:
                since = t
            elif line[0] == '-' and since is not None:
                held.append((since, t))
                since = None
        return held + ([(since, float('inf'))] if since is not None else [])

    def took(self, name, since):
        """Seconds from `since` until this machine had the address."""
        def begun():
            return [t for t, _ in self.held(name) if t >= since]
        return min(begun()) - since if self.until(begun, 60) is not None else None

    def two_owners(self, since):
        """Seconds, from `since`, during which both had the address."""
        shared = [(max(a, c, since), min(b, d)) for a, b in self.held('a') for c, d in self.held('b')]
        return [(begin - since, end - since) for begin, end in shared if end > begin]


@contextlib.contextmanager
def bed(wdt='i6300esb', panic=1, kernel='vmlinux', more=None, **how):
    """A pair with this hardware, set up anew. The machines are those of the case before, where these have the same and it
    came to its end."""
    hardware = {'wdt': wdt, 'panic': panic, 'kernel': kernel, 'more': more or {}}
    try:
        if Bed.current is None or Bed.current.hardware != hardware:
            close()
            Bed.current = Bed(hardware)
            Bed.current.hardware = hardware
            Bed.boots_made += 1
        Bed.current.furnish(**how)
        yield Bed.current
    except BaseException:
        close()
        raise


def close():
    """Ends the machines."""
    last, Bed.current = Bed.current, None
    if last is not None:
        last.witness.close()
        last.down()


class Tap:
    """When each heartbeat passed which wire: (time, wire, 'a' or 'b', number)."""

    def __init__(self, pair):
        self.seen, self.rest, self.text, self.undo = [], {0: b'', 1: b''}, {0: b'', 1: b''}, []
        cable, carry = pair.serial, pair.serial.carry
        self.undo.append(lambda: setattr(cable, 'carry', carry))

        def tapped(side, data):
            if not cable.dirs[side].cut:
                *lines, self.rest[side] = (self.rest[side] + data).split(b'\n')
                for line in lines:
                    self.line(line, side)
            carry(side, data)
        cable.carry = tapped
        for wire in pair.nets:
            self.tap(wire)

    def tap(self, wire):
        send = wire.send
        self.undo.append(lambda: setattr(wire, 'send', send))

        def tapped(to, frame):
            self.note(frame, wire.name, 1 - to)
            send(to, frame)
        wire.send = tapped

    def close(self):
        for undo in self.undo:
            undo()

    def line(self, line, side):
        """A line of text that passed the serial cable: a short heartbeat, or a part of a full one."""
        short = re.search(rb'!([0-9a-f]+)\.[0-9a-f]+\.[0-9a-f]+\.[0-9a-f-]+\.', line)
        if short:
            self.seen.append((now(), 'serial', 'ab'[side], int(short.group(1), 16)))
        elif line == b'<<<':
            self.note(self.text[side], 'serial', side)
            self.text[side] = b''
        else:
            self.text[side] += line + b'\n'

    def note(self, data, wire, side):
        number = re.search(rb'seq=([0-9a-f]+)', data)
        if number and b't=status' in data:
            self.seen.append((now(), wire, 'ab'[side], int(number.group(1), 16)))

    def times(self, wire, side, since, until=float('inf')):
        return [t for t, w, s, _ in self.seen if (w, s) == (wire, side) and since <= t <= until]

    def longest_pause(self, wire, side, since, until=float('inf')):
        times = self.times(wire, side, since, until)
        return max(b - a for a, b in zip(times, times[1:]))

    def oldest(self, side, since):
        """How old a heartbeat on the cable was at most, by when the same number passed eth0."""
        fresh = {n: t for t, w, s, n in self.seen if (w, s) == ('eth0', side)}
        return max(t - fresh[n] for t, w, s, n in self.seen
                   if (w, s) == ('serial', side) and t >= since and n in fresh)
