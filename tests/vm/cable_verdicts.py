"""The case `serial_test`: what `heartbeat serial-test` says of real ports and of what may be wrong with what is in them."""
import json
import time

from bed import bed
from check import check, within
from wires import now

LOGIN = 'exec getty -L 19200 ttyS0 vt100'
MODEM = '''stty -F /dev/ttyS0 sane -echo 19200
exec 3<>/dev/ttyS0
while read -r line; do case $line in *AT*) printf "\\r\\nOK\\r\\n" >&3 ;; esac; done <&3'''
RECEIVER = '''stty -F /dev/ttyS0 raw -echo 19200
while :; do printf "\\$GPGGA,123519,4807.038,N\\r\\n"; sleep 1; done >/dev/ttyS0'''
LONG = ('--seconds 12', '--seconds 12')
SILENT = 'exec 3<>/dev/ttyS0; exec sleep 600'


class Bench:
    """Two machines without daemons, and the test on one or both."""

    def __init__(self, pair):
        self.p = pair

    def drain(self, m):
        """What came while nobody had the port open waits in the emulated wire."""
        m.run('timeout 1 cat /dev/ttyS0 >/dev/null 2>&1', 20)

    def start(self, m, options=''):
        m.sh(f'(heartbeat serial-test --json --seconds 6 {options} /dev/ttyS0 >/tmp/out 2>/tmp/refusal; echo $? >/tmp/exit) &')

    def found(self, m):
        """The report and the exit status."""
        check(self.p.until(lambda: m.sh('cat /tmp/exit 2>/dev/null'), 90) is not None, 'the test does not end')
        text, exit = m.sh('cat /tmp/out'), int(m.sh('cat /tmp/exit'))
        check(text, m.sh('cat /tmp/refusal'))
        m.sh('rm -f /tmp/out /tmp/exit')
        return json.loads(text), exit

    def both(self, options=('', '')):
        for m in self.p.both():
            self.drain(m)
        for m, option in zip(self.p.both(), options):
            self.start(m, option)
        return [self.found(m) for m in self.p.both()]

    def one(self):
        self.drain(self.p.a)
        self.start(self.p.a)
        return [self.found(self.p.a)]

    def against(self, script):
        """One test while this script has the other machine's port."""
        b = self.p.b
        b.sh(f"cat >/tmp/script <<'END'\n{script}\nEND\n(setsid sh /tmp/script >/dev/null 2>&1 & echo $! >/tmp/user)")
        time.sleep(1.5)
        try:
            return self.one()
        finally:
            b.run('kill -9 -- -$(cat /tmp/user)')
            time.sleep(0.5)


def figures(found):
    report = found[0][0]
    shown = {'verdict': '/'.join(sorted({each['verdict'] for each, _ in found}))}
    for key, name in (('bytes_per_second', 'bytes-per-second'), ('other rate', 'other-rate')):
        if report.get(name):
            shown[key.replace('_', ' ')] = report[name]
    if 'noisy' in shown['verdict']:
        shown['lines missing'] = report['missing']
    return shown


def serial_test():
    """heartbeat serial-test names what is at the other end of the cable, and what is wrong with it"""
    with bed(start=False) as p:
        bench = Bench(p)

        def expect(what, found, words, exit):
            for report, status in found:
                check(report['verdict'] in words and status == exit, f'{what}: exit {status}, {report}')
            return what, figures(found)
        fine = bench.both()
        for report, _ in fine:
            check(report['wires']['cts-follows-other'] and report['wires']['other-cts-follows'], report)
            check(1000 < report['bytes-per-second'] <= 1920 + 100, report)
        yield expect('a full cable', fine, ['fine'], 0)
        p.serial.modem(False)
        yield expect('three wires', bench.both(), ['three-wire'], 0)
        p.serial.modem(True, cts=False)
        yield expect('CTS is not connected', bench.both(), ['handshake-missing'], 0)
        p.serial.modem(True, joined=True)
        found = bench.both()
        check(all('joined to RTS' in report['words'] for report, _ in found), found)
        yield expect('CTS joined to RTS in the plugs', found, ['handshake-missing'], 0)
        p.serial.modem(False)
        p.set('serial', cut=True)
        yield expect('no cable', bench.one(), ['nothing'], 1)
        p.serial.modem(True)
        # Two that hear nothing of each other have to meet; emulated machines can be seconds apart.
        yield expect('data wires that are not crossed', bench.both(LONG), ['data-wires'], 1)
        p.restore('serial')
        yield expect('nobody at the other end', bench.against(SILENT), ['no-answer'], 1)
        p.serial.looped = True
        yield expect('a loopback plug', bench.one(), ['loopback'], 1)
        p.serial.looped = False
        for what, script, word in (('a login', LOGIN, 'login'), ('a modem', MODEM, 'modem'),
                                   ('another device', RECEIVER, 'stranger')):
            yield expect(what, bench.against(script), [word], 1)
        p.set('serial', 'ba', cut=True)
        (a, _), (b, _) = found = bench.both(LONG)
        check((a['verdict'], b['verdict']) in (('no-answer', 'one-way'), ('data-wires', 'one-way')), f'one way: {a} {b}')
        yield 'one data wire broken', figures(found)
        p.restore('serial')
        p.set('serial', flip=0.005)
        yield expect('a bad cable', bench.both(LONG), ['noisy'], 1)
        p.restore('serial')
        found = bench.both(('--baud 9600', '--baud 57600'))
        yield expect('other rates', found, ['rates-differ'], 1)
        yield from in_use(p, bench, expect)


def in_use(p, bench, expect):
    """A running daemon, at the other end and at this one; and a port whose user goes."""
    begin = now()
    p.launch(p.b)
    check(p.wait_line('b', begin, 'Starting serial heartbeat', 60) is not None, 'the port is not taken')
    found = bench.one()
    check('node-b' in found[0][0]['words'], found)
    yield expect('heartbeat at the other end', found, ['heartbeat'], 1)
    refused = p.b.sh('heartbeat serial-test /dev/ttyS0 2>&1; echo $?')
    check('uses it; `heartbeat -k`' in refused and refused.strip().endswith('3'), refused)
    yield 'heartbeat at this end', {'verdict': 'refused, with its user'}
    p.a.sh('(exec 3<>/dev/ttyS0; exec sleep 600) & echo $! >/tmp/user')
    begin = now()
    p.launch(p.a)
    told = p.wait_line('a', begin, r'serial /dev/ttyS0 does not work: sleep \(process \d+\) uses it; `kill \d+` frees it', 60)
    check(told is not None, 'the user of the port is not named')
    p.a.sh('kill $(cat /tmp/user)')
    up = p.until(p.all_up, 60)
    yield 'a daemon whose port is in use', {'user named': within(told, 0, 60, 'told'),
                                            'links up after its end': within(up, 0, 40, 'taken')}
