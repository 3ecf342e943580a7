"""Cases of machines that die, hang or stand still, with and without a watchdog. All times are seconds from the fault, by the clock
of the host; `answers` is what the witness on the wire got for its questions who has the address."""
import time

from bed import bed
from check import DEADTIME, KEEPALIVE, SLACK, check, within
from wires import now

STEADY = 2          # so long is watched that nothing moves again


def story(p, m, begin, patterns=('is dead', 'Resources being acquired', 'Link .* dead', 'takes over|taking over|Taking over')):
    """The lines with which the daemon of this machine tells of it, with their times."""
    lines = p.lines(m.name, begin, '|'.join(patterns))
    return [f'{t - begin:.3f} {line}' for t, line in lines]


def deaths():
    """the owner's machine dies without a watchdog's help: the other takes over after deadtime, nobody else answers"""
    harms = [('kernel panic', lambda m: m.panic()), ('power cord pulled', lambda m: m.kill()),
             ('reset button', lambda m: m.reset()), ('hung, interrupts off', lambda m: m.hang())]
    with bed() as p:
        for what, harm in harms:
            m = p.owner()
            peer, boot = p.other(m), m.boots
            if 'hung' in what:
                m.prepare_hang()
                time.sleep(1)
                check(p.holder() == m.name, 'the preparation moved the address')
            begin = now()
            harm(m)
            p.gone(m, begin)
            took = p.took(peer.name, begin)
            said = p.wait_line(peer.name, begin, 'is dead')
            time.sleep(1)
            answers, last = p.witness.first(peer.name, begin), p.witness.last(m.name, begin)
            check(p.witness.overlap(begin) == 0, f'{what}: two answered')
            if 'hung' in what:
                check(m.boots == boot, 'a hung machine came back by itself')
                m.reset()
            elif not m.running():
                m.start()
            check(p.come_back(m, boot + 1) is not None, f'{what}: it does not come back')
            time.sleep(STEADY)
            check(p.holder() == peer.name, f'{what}: the address did not stay')
            # The machine may go on for some turns while its kernel writes its last words: `last` is part of the time.
            low, high = DEADTIME - KEEPALIVE - SLACK, DEADTIME + 2
            yield what, {'declared dead': within(said, low, high, 'dead'), 'taken over': within(took, low, high, 'takeover'),
                         'last answer of the dead': round(last or 0, 2), 'first answer of the other': round(answers, 2),
                         'log': story(p, peer, begin)}


def watched(kind):
    """Every way in which a daemon or its machine can cease, and the reset before the takeover."""
    hardware = kind != 'softdog'
    harms = [('daemon stopped (SIGSTOP)', lambda m: m.sh('kill -STOP $(pidof heartbeat)')),
             ('daemon killed (SIGKILL)', lambda m: m.sh('kill -KILL $(pidof heartbeat)')),
             ('CPU taken by others', lambda m: m.run('/vm/tool stall 20 &', 20))]
    if hardware:    # without a reboot of its own
        harms += [('kernel panic', lambda m: m.panic()), ('hung, interrupts off', lambda m: m.hang())]
    with bed(deadtime='6', initdead='12', extra='watchdog /dev/watchdog', wdt=kind, panic=0) as p:
        boots = p.a.boots, p.b.boots
        time.sleep(12)
        check((p.a.boots, p.b.boots) == boots, 'reset although it was fed')
        for what, harm in harms:
            yield what, reset_first(p, what, harm, 'WATCHDOG' if hardware else 'RESET')
        if not hardware:
            yield 'hung, interrupts off', not_by_software(p)
        m = p.owner()
        boot, peer = m.boots, p.other(m)
        begin = now()
        m.sh('heartbeat -k')
        moved = p.until(lambda: p.holder() == peer.name, 15)
        time.sleep(12)
        check(m.boots == boot, 'a clean stop did not disarm it')
        yield 'clean stop, watched for 12 s', {'moved': within(moved, 0, 10, 'moved'), 'resets': 0}


def reset_first(p, what, harm, event):
    m = p.owner()
    peer, boot = p.other(m), m.boots
    if 'hung' in what:
        m.prepare_hang()
        time.sleep(1)
    mark, begin = m.mark(), now()
    harm(m)
    fired = m.wait_event(event, mark, 60)['t'] + p.t0
    p.gone(m, fired)
    took = p.took(peer.name, begin)
    said = p.wait_line(peer.name, begin, 'is dead')
    time.sleep(1)
    reset, last = fired - begin, p.witness.last(m.name, begin)
    check(took is not None and said is not None, f'{what}: no takeover')
    # A line of the log comes over a console, and can come after what it tells of.
    check(reset < min(said, took), f'{what}: reset {reset:.2f}, declared dead {said:.2f}, taken over {took:.2f}')
    check(not p.two_owners(begin) and p.witness.overlap(begin) == 0, f'{what}: two owners {p.two_owners(begin)}')
    check(p.come_back(m, boot + 1) is not None, f'{what}: it does not come back')
    time.sleep(STEADY)
    check(p.holder() == peer.name, f'{what}: the address did not stay')
    return {'reset by the watchdog': round(reset, 2), 'last answer': round(last or 0, 2), 'declared dead': round(said, 2),
            'taken over': round(took, 2), 'between reset and takeover': round(took - reset, 2), 'log': story(p, peer, begin)}


def not_by_software(p):
    """A softdog is a timer of the kernel that hangs: the machine stays as it is, silent, and the other takes over."""
    m = p.owner()
    peer, boot = p.other(m), m.boots
    m.prepare_hang()
    time.sleep(1)
    begin = now()
    m.hang()
    p.gone(m, begin)
    took = p.took(peer.name, begin)
    time.sleep(4)
    check(m.boots == boot, 'a softdog that works with interrupts off')
    check(p.witness.overlap(begin) == 0, 'a hung machine answers')
    m.reset()
    check(p.come_back(m, boot + 1) is not None, 'it does not come back')
    time.sleep(STEADY)
    return {'reset by the watchdog': 'never', 'taken over': within(took, 5, 8, 'takeover')}


def watchdog_i6300esb():
    """i6300esb: a daemon or machine that ceases is reset by the hardware before the other is believed dead; clean stop disarms"""
    yield from watched('i6300esb')


def watchdog_ib700():
    """ib700, which counts in steps of two seconds and does not tell: the same"""
    yield from watched('ib700')


def watchdog_softdog():
    """softdog: the same, but for a machine whose interrupts are off, which no timer of its own kernel resets"""
    yield from watched('softdog')
