"""The cases: each breaks something and checks what the pair makes of it.

Run by `run`; names as arguments select, `-l` lists.
"""
import json
import os
import random
import re
import sys
import time

sys.dont_write_bytecode = True
from bed import ADDRESS, ALL_LINKS, LINKS, Bed, Tap
from machines import VmError
from wires import now

KEEPALIVE, DEADTIME = 0.5, 4.0      # as in bed.py
SLACK = 0.5                         # an emulated machine on a busy host


class Wrong(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Wrong(what)


def within(seconds, low, high, what):
    check(seconds is not None and low <= seconds <= high, f'{what}: {seconds}, not from {low} to {high}')
    return f'{seconds:.2f} s'


def start(baud):
    with Bed(start=False, media=f'baud {baud}\nserial /dev/ttyS0\nbcast eth0\nbcast eth1') as p:
        begin = now()
        for m in p.both():
            p.launch(m)
        up = p.until(p.all_up, 60)
        took = p.took('a', begin)
        time.sleep(10)
        check(p.all_up() and p.holder() == 'a', 'the pair does not stay up')
        bad = [line for n in 'ab' for _, line in p.lines(n, begin, 'dead|Late|timeout|refused')]
        check(not bad, bad)
        check(p.serial.port(0)['baud'] == p.serial.port(1)['baud'] == baud, 'another rate')
        return f'links up {within(up, 0, 20, "links up")}, address {within(took, 0, 20, "address")}'


def start_9600():
    """serial at 9600 baud and two networks: all links up, one owner"""
    return start(9600)


def start_19200():
    """the same at 19200"""
    return start(19200)


def start_115200():
    """the same at 115200"""
    return start(115200)


def cables():
    """each cable cut, both ways and one way, and mended: its link down and up by itself, nothing moves"""
    downs, ups = [], []
    with Bed() as p:
        begin = now()
        for link, name in LINKS.items():
            for way, deaf in (('both', 'ab'), ('ab', 'b'), ('ba', 'a')):
                cut = now()
                p.cut(link, way)
                downs += [p.wait_line(n, cut, f'Link .*:{name} dead') for n in deaf]
                for m in p.both():
                    states = p.links(m)
                    want = {n: 'dead' if n == name and m.name in deaf else 'up' for n in LINKS.values()}
                    check(states == want, f'{link} {way}: {states}')
                mended = now()
                p.restore(link, way)
                ups += [p.wait_line(n, mended, f'Link .*:{name} up') for n in deaf]
        check(None not in downs + ups, f'a link was not told: {downs} {ups}')
        check(p.holder() == 'a' and len(p.held('a')) == 1 and not p.held('b'), 'the address moved')
        check(not any(p.lines(n, begin, 'is dead|Late heartbeat') for n in 'ab'), 'a node was thought late or dead')
        return f'{len(downs)} links down after {min(downs):.1f} to {within(max(downs), 0, DEADTIME + SLACK, "down")}, ' \
               f'up after at most {within(max(ups), 0, 2, "up")}'


def serial_alone():
    """both networks cut for five times deadtime: the serial line keeps the pair"""
    with Bed() as p:
        begin = now()
        p.cut('eth0')
        p.cut('eth1')
        time.sleep(5 * DEADTIME)
        check(set(p.links(p.b).items()) >= {('/dev/ttyS0', 'up'), ('eth0', 'dead')}, p.links(p.b))
        check(p.holder() == 'a', 'the address moved')
        check(not any(p.lines(n, begin, 'is dead|Late heartbeat') for n in 'ab'), 'a node was thought late or dead')
        p.restore('eth0')
        p.restore('eth1')
        return f'links back after {within(p.until(p.all_up, 30), 0, 5, "back")}'


def stall():
    """CTS falls, by pulled cable and by RTS of a living peer: other links undisturbed, nothing stale afterwards"""
    with Bed(media=ALL_LINKS + '\nserial_flow rtscts') as p:
        tap, ages, pauses = Tap(p), [], []
        def rts(state):
            p.b.sh(f'/vm/tool rts /dev/ttyS0 {state}')
        for stop, go in ((lambda: p.cut('serial'), lambda: p.restore('serial')),
                         (lambda: rts('off'), lambda: rts('on'))):
            begin = now()
            stop()
            time.sleep(4 * DEADTIME)
            end = now()
            sent = tap.times('serial', 'a', begin + 1, end)
            check(not sent, f'{len(sent)} heartbeats passed a line without CTS')
            pauses += [tap.longest_pause(w, s, begin, end) for w in ('eth0', 'eth1') for s in 'ab']
            check(not any(p.lines(n, begin, 'Late heartbeat') for n in 'ab'), 'a late heartbeat')
            go()
            check(p.until(p.all_up, 20) is not None, 'the serial link does not come back')
            time.sleep(5)
            ages += [tap.oldest(s, end) for s in 'ab']
        check(p.holder() == 'a', 'the address moved')
        return f'longest pause on the networks {within(max(pauses), 0, KEEPALIVE + SLACK, "pause")}, ' \
               f'oldest heartbeat after {within(max(ages), 0, 2.5, "age")}'


def three_wire():
    """no handshake wires: the serial link works as it is; wires that come and go are followed, and told"""
    works, missing = 'uses RTS/CTS flow control', 'does without RTS/CTS flow control'
    with Bed(start=False) as p:
        begin = now()
        p.serial.modem(False)
        for m in p.both():
            p.launch(m)
        up = p.until(p.all_up, 60)
        told = [p.wait_line(n, begin, missing, 30) for n in 'ab']
        check(None not in told, 'three wires are not told')
        seen = []
        for wires, words in ((True, works), (False, missing)):
            change = now()
            p.serial.modem(wires)
            time.sleep(3 * DEADTIME)
            check(p.all_up(), f'a link is down with modem wires {wires}')
            seen += [p.wait_line(n, change, words, 90) for n in 'ab']
            check(None not in seen, f'not told: {words}')
        # When the wires go the line stands still for three seconds and a little, of the four of deadtime.
        check(not any(p.lines(n, begin, 'is dead') for n in 'ab'), 'a node was thought dead')
        check(p.holder() == 'a' and len(p.held('a')) == 1, 'the address moved')
        return f'links up {within(up, 0, 20, "links up")}, changes told {within(max(seen), 0, 75, "told")} later'


def serial_test():
    """heartbeat serial-test: what UARTs and wires can show, from both ends or one; a port in use is refused with its user"""
    with Bed(start=False) as p:
        def verdict(m):
            check(p.until(lambda: m.sh('cat /tmp/exit 2>/dev/null'), 90) is not None, 'the test does not end')
            found = json.loads(m.sh('cat /tmp/out')), int(m.sh('cat /tmp/exit'))
            m.sh('rm -f /tmp/out /tmp/exit')
            return found

        def drain(m):
            """What came while nobody had the port open waits in the emulated wire."""
            m.run('timeout 1 cat /dev/ttyS0 >/dev/null 2>&1', 20)

        def both(options=('', '')):
            for m in p.both():
                drain(m)
            for m, option in zip(p.both(), options):
                m.sh(f'(heartbeat serial-test --json --seconds 6 {option} /dev/ttyS0 >/tmp/out; echo $? >/tmp/exit) &')
            return [verdict(m) for m in p.both()]

        def one():
            drain(p.a)
            p.a.sh('(heartbeat serial-test --json --seconds 6 /dev/ttyS0 >/tmp/out; echo $? >/tmp/exit) &')
            return [verdict(p.a)]

        def expect(what, found, words, exit):
            for report, status in found:
                check(report['verdict'] in words and status == exit, f'{what}: {report}')
            return found

        fine = expect('a full cable', both(), ['fine'], 0)
        for report, _ in fine:
            check(report['wires']['cts-follows-other'] and report['wires']['other-cts-follows'], report)
            check(1000 < report['bytes-per-second'] <= 1920 + 100, report)
        p.serial.modem(False)
        expect('three wires', both(), ['three-wire'], 0)
        p.set('serial', cut=True)
        expect('no cable', one(), ['nothing'], 1)
        p.serial.modem(True)
        expect('data wires that are not crossed', both(), ['data-wires'], 1)
        p.restore('serial')
        p.b.sh('(exec 3<>/dev/ttyS0; exec sleep 600) & echo $! >/tmp/user')
        time.sleep(1)
        expect('nobody at the other end', one(), ['no-answer'], 1)
        p.b.sh('kill $(cat /tmp/user)')
        time.sleep(1)
        p.set('serial', 'ba', cut=True)
        (a, _), (b, _) = both()
        check((a['verdict'], b['verdict']) == ('no-answer', 'one-way') or a['verdict'] == 'data-wires', f'one way: {a} {b}')
        p.restore('serial')
        p.set('serial', flip=0.005)
        expect('a bad cable', both(options=('--seconds 12', '--seconds 12')), ['noisy'], 1)
        p.restore('serial')
        expect('other rates', both(options=('--baud 9600', '--baud 57600')), ['rates-differ'], 1)
        begin = now()
        p.launch(p.b)
        check(p.wait_line('b', begin, 'Starting serial heartbeat', 60) is not None, 'the port is not taken')
        report, _ = expect('heartbeat', one(), ['heartbeat'], 1)[0]
        check('node-b' in report['words'], report)
        refused = p.b.sh('heartbeat serial-test /dev/ttyS0 2>&1; echo $?')
        check('uses it; `heartbeat -k`' in refused and refused.strip().endswith('3'), refused)
        # the daemon leaves a port to its user, and takes it when that has gone
        p.a.sh('(exec 3<>/dev/ttyS0; exec sleep 60) & echo $! >/tmp/user')
        begin = now()
        p.launch(p.a)
        told = p.wait_line('a', begin, r'serial /dev/ttyS0 does not work: sleep \(process \d+\) uses it; `kill \d+` frees it', 60)
        check(told is not None, 'the user of the port is not named')
        p.a.sh('kill $(cat /tmp/user)')
        up = p.until(p.all_up, 60)
        return f'{within(up, 0, 40, "taken")} until a port that is free again carries heartbeats'


def garbage():
    """wrong baud rate, then garbage between the messages: few log lines, and it recovers"""
    with Bed(start=False, media_b='baud 9600\nserial /dev/ttyS0\nbcast eth0\nbcast eth1') as p:
        for m in p.both():
            p.launch(m)
        check(p.until(lambda: p.holder() == 'a', 60) is not None, 'the pair does not come up')
        begin, counts = now(), []
        time.sleep(30)
        counts.append(sum(len(p.lines(n, begin)) for n in 'ab'))
        p.b.sh("sed -i 's/baud 9600/baud 19200/' /etc/ha.d/ha.cf; heartbeat -k")
        p.launch(p.b)
        check(p.until(p.all_up, 30) is not None, 'it does not recover from the wrong rate')
        rng = random.Random(1)
        for bytes_of in (lambda: bytes(rng.randrange(256) for _ in range(100)), lambda: b'>>>\n' * 25,
                         lambda: b'>>>\nt=status\nsrc=node-b\nseq=%x\nauth=1 00\n<<<\n' % rng.randrange(1 << 30),
                         lambda: b'x' * 100):
            begin = now()
            while now() - begin < 15:
                p.serial.inject(0, bytes_of())
                time.sleep(0.1)
            counts.append(len(p.lines('a', begin)))
            check(p.until(p.all_up, 10) is not None, 'it does not recover from garbage')
        check(max(counts) <= 8, f'log lines: {counts}')
        check(p.holder() == 'a' and len(p.held('a')) == 1, 'the address moved')
        return f'log lines: {counts}'


def noise():
    """serial as the only link at 2400 baud, one byte in a thousand lost or spoiled: nobody is thought dead"""
    seconds = float(os.environ.get('NOISE_SECONDS', '120'))
    with Bed(media='baud 2400\nserial /dev/ttyS0', keepalive='1', warntime='3', deadtime='10', initdead='20') as p:
        begin = now()
        p.set('serial', loss=0.0005, flip=0.0005)
        time.sleep(seconds)
        late = [int(line.split()[-2]) for n in 'ab' for _, line in p.lines(n, begin, 'Late heartbeat')]
        check(not any(p.lines(n, begin, 'dead') for n in 'ab'), 'somebody was thought dead')
        check(p.holder() == 'a' and len(p.held('a')) == 1, 'the address moved')
        harm = sum(d.stats['lost'] + d.stats['spoiled'] for d in p.serial.dirs)
        return f'{seconds:.0f} s, {harm} bytes harmed, longest pause {max(late, default=0) / 1000:.1f} s of 10'


def death(harm):
    with Bed() as p:
        m, boot, begin = p.a, p.a.boots, now()
        harm(m)
        p.gone(m, begin)
        took = p.took('b', begin)
        if not m.running():
            m.start()
        back = p.come_back(m, boot + 1)
        check(back is not None, 'it does not come back')
        time.sleep(2)
        check(p.holder() == 'b', 'the address did not stay')
        # A slow log of the crash is part of the time before it.
        return f'taken over after {within(took, DEADTIME - KEEPALIVE - SLACK, DEADTIME + 2, "takeover")}, ' \
               f'links up {back:.1f} s after the start'


def panic():
    """the owner's kernel crashes"""
    return death(lambda m: m.panic())


def power():
    """the owner's power cord is pulled"""
    return death(lambda m: m.kill())


def reset():
    """the owner's reset button"""
    return death(lambda m: m.reset())


def watchdog(kind):
    with Bed(deadtime='6', initdead='12', extra='watchdog /dev/watchdog', wdt=kind, panic=0) as p:
        time.sleep(12)
        check(p.a.boots == p.b.boots == 1, 'reset although it was fed')
        figures = []
        for how in ('kill -STOP $(pidof heartbeat)', 'kill -KILL $(pidof heartbeat)', '/vm/tool stall 20 &'):
            m = p.owner()
            peer, boot, mark, begin = p.other(m), m.boots, m.mark(), now()
            m.run(how, 20)
            fired = m.wait_event('WATCHDOG', mark, 60)['t'] + p.t0
            p.gone(m, fired)
            took = p.took(peer.name, begin)
            check(took is not None and not p.two_owners(begin), f'{how}: two owners {p.two_owners(begin)}')
            figures.append(f'{fired - begin:.2f} < {took:.2f}')
            check(p.come_back(m, boot + 1) is not None, f'{how}: it does not come back')
        m = p.owner()
        boot, peer = m.boots, p.other(m)
        m.sh('heartbeat -k')
        check(p.until(lambda: p.holder() == peer.name, 10) is not None, 'no takeover after a clean stop')
        time.sleep(12)
        check(m.boots == boot, 'a clean stop did not disarm it')
        return 'STOP, KILL, stall: reset and takeover after ' + ', '.join(figures) + ' s; clean stop disarms'


def watchdog_i6300esb():
    """a daemon stopped, killed, starved: its machine is reset before the peer takes over; clean stop disarms"""
    return watchdog('i6300esb')


def watchdog_ib700():
    """the same with a watchdog that counts in steps of two seconds and does not tell"""
    return watchdog('ib700')


def pause(stop, go):
    with Bed() as p:
        figures = []
        for _ in range(3):
            m = p.owner()
            begin = now()
            getattr(m, stop)()
            time.sleep(3 * DEADTIME)
            took = [t - begin for t, _ in p.held(p.other(m).name) if t >= begin]
            check(len(took) == 1, f'takeovers: {took}')
            resumed = now()
            getattr(m, go)()
            time.sleep(3)
            both = p.two_owners(resumed)
            figures.append(max((end for _, end in both), default=0))
            check(p.until(lambda: len(p.holder()) == 1 and p.all_up(), 20) is not None, f'owners: {p.holder()}')
        return f'both owners until at most {within(max(figures), 0, KEEPALIVE, "both")} after the machine goes on'


def standstill():
    """the owner stands still for three times deadtime and does not know it (its clock stood too)"""
    return pause('stop', 'cont')


def freeze():
    """the owner stands still for three times deadtime and sees it by its clock"""
    return pause('freeze', 'thaw')


# Asks twice, as the table takes turns; the machine at the other end of eth1 does not know the address and does not answer.
ASK = (f'for my $turn (1, 2) {{ eval {{ local $SIG{{ALRM}} = sub {{ die }}; alarm 5; socket(S, PF_INET, SOCK_STREAM, 0); '
       f'connect(S, sockaddr_in(80, inet_aton("{ADDRESS}"))) or die; syswrite(S, "GET / HTTP/1.0\\r\\n\\r\\n"); '
       f'print while <S>; alarm 0 }} }}')

LDIRECTORD = f'''checktimeout=20
checkinterval=2
quiescent=no
virtual={ADDRESS}:80
\treal=10.77.1.13:80 gate
\treal=10.77.1.14:80 gate
\tscheduler=rr
\tprotocol=tcp
\tchecktype=connect
'''


def tree(top):
    """The files below a directory, by their paths in a guest."""
    files = {}
    for base, _, names in os.walk(top):
        for name in names:
            path = os.path.join(base, name)
            with open(path, 'rb') as f:
                files['/' + os.path.relpath(path, top)] = f.read(), os.stat(path).st_mode & 0o777
    return files


def director():
    """ldirectord in a group, one real server on each machine: its table of ip_vs is where the address is, and nowhere else"""
    more = tree(os.path.join(Bed.guests, 'director'))
    more['/etc/ha.d/ldirectord.cf'] = LDIRECTORD
    # perl takes its time on an emulated processor
    limits = '\n'.join(f'timeout ldirectord {action} 240' for action in ('start', 'stop', 'status'))
    with Bed(resources='ldirectord::/etc/ha.d/ldirectord.cf', more=more, extra=limits, start=False) as p:
        for m, host in ((p.a, 13), (p.b, 14)):
            m.sh(f'modprobe -a ip_vs ip_vs_rr && ip addr add 10.77.1.{host}/24 dev eth1 && mkdir -p /www && '
                 f'echo {m.name} >/www/index.html && httpd -p 80 -h /www')

        def listed(m):
            table = m.sh('ipvsadm -Ln')
            virtual = re.search(r'^TCP +10\.77\.0\.100:80 rr', table, re.M) is not None
            return virtual, sorted(re.findall(r'-> 10\.77\.1\.(1[34]):80 +(?:Route|Local) +1 ', table))

        def have(a, b):
            return lambda: (listed(p.a), listed(p.b)) == (a, b)
        full, one, none = (True, ['13', '14']), (True, ['13']), (False, [])
        begin = now()
        for m in p.both():
            p.launch(m)
        first = p.until(have(full, none), 420)
        check(first is not None and p.holder() == 'a', f'tables: {listed(p.a)} {listed(p.b)}')
        page = p.a.sh(f"perl -MSocket -e '{ASK}'")
        check('a' in page.split(), f'nobody answered on the address: {page!r}')
        counted = re.search(r'^TCP +10\.77\.0\.100:80 +([1-9]\d*)', p.a.sh('ipvsadm -Ln --stats'), re.M)
        check(counted, 'the table did not count the connections')
        p.b.sh('killall httpd')
        gone = p.until(have(one, none), 120)
        check(gone is not None, f'a real server that is gone: {listed(p.a)}')
        p.b.sh('httpd -p 80 -h /www')
        back = p.until(have(full, none), 120)
        check(back is not None, f'a real server that is back: {listed(p.a)}')
        begin = now()
        p.a.kill()
        p.gone(p.a, begin)
        took = p.until(lambda: listed(p.b) == (True, ['14']), 300)
        check(took is not None, f'the table after the takeover: {listed(p.b)}')
        return f'table after {first:.1f} s, without a real server {gone:.1f} s after its end, with it {back:.1f} s after ' \
               f'its start; taken over after {took:.1f} s'


CASES = [start_9600, start_19200, start_115200, cables, serial_alone, stall, three_wire, serial_test, garbage, noise, panic, power, reset,
         watchdog_i6300esb, watchdog_ib700, standstill, freeze, director]


def main():
    Bed.programs, Bed.guests, Bed.scratch = sys.argv[1:4]
    names = sys.argv[4:]
    if names == ['-l']:
        for case in CASES:
            print(f'{case.__name__:18} {case.__doc__}')
        return 0
    unknown = set(names) - {case.__name__ for case in CASES}
    if unknown:
        sys.exit('no such case: ' + ' '.join(sorted(unknown)))
    bad = 0
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        begin = now()
        try:
            verdict, figures = 'ok', case()
        except (Wrong, VmError) as error:
            verdict, figures, bad = 'WRONG', error, bad + 1
        print(f'{case.__name__:18} {verdict:5} {now() - begin:4.0f} s  {figures}', flush=True)
    return bad > 0


if __name__ == '__main__':
    sys.exit(main())
