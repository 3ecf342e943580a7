"""Machines that stand still for a while, and what a client's network sees of it: shorter and longer than deadtime.

- `stop`: the machine and its clocks are held, as by `virsh suspend`; afterwards it cannot know that anything happened.
- `freeze`: held while its clock goes on, as by a host without memory or time for it.
- `suspend`: the guest suspends itself, as by `systemctl suspend`, and is woken.
"""
import os
import re
import time

from bed import bed
from check import DEADTIME, KEEPALIVE, SLACK, check
from wires import now

LENGTHS = (0.01, 0.1, 0.5, 1, 2, 3, 5, 8, 30)
OF_THE_OTHER = (0.1, 3, 8, 30)
# The moment between the awakening and the first turn of the daemon, on an emulated processor.
AWAKENING = 500


def lengths():
    """STALL_SECONDS=600 adds one."""
    more = os.environ.get('STALL_SECONDS')
    return LENGTHS + ((float(more),) if more else ())


def stall(p, whose, length, hold, go, knows=True, keepalive=KEEPALIVE, deadtime=DEADTIME):
    """One stall of the owner's or the other's machine; its row."""
    # Up to this the peer cannot have waited for deadtime, and from that it must have: heartbeats are a keepalive apart.
    short, long = deadtime - keepalive - SLACK, deadtime + SLACK
    owner = p.owner()
    m = owner if whose == 'owner' else p.other(owner)
    peer = p.other(m)
    begin = now()
    hold(m)
    time.sleep(max(0, length - (now() - begin)))
    resumed = now()
    go(m)
    check(p.until(lambda: p.all_up() and len(p.holder()) == 1, 40) is not None, f'{whose} {length} s: owners {p.holder()}')
    time.sleep(1.5)
    end, length = now(), resumed - begin
    w, moved = p.witness, p.holder() != owner.name
    overlap = w.overlap(resumed, end)
    said = p.lines(m.name, resumed)
    one = w.settled(resumed, end)
    false_deaths = p.lines(m.name, resumed, 'node node-.: is dead')
    what = f'{whose}, {length:.2f} s: '
    check(not false_deaths, f'{what}the sleeper takes the other for dead: {false_deaths[:1]}')
    check(overlap <= AWAKENING and one is not None, f'{what}two owners for {overlap:.0f} ms, one after {one}')
    check(w.overlap(begin, resumed) == 0, f'{what}two owners during the stall')
    if whose == 'owner' and length <= short or whose != 'owner':
        check(not moved, f'{what}the address moved')
    if whose == 'owner' and length >= long:
        check(w.who(begin + long, resumed) == peer.name or length < long + 1, f'{what}nobody took over')
        # Of two that both believe themselves owners either may yield; a node that knows that it slept does.
        check(moved or not knows, f'{what}the address came back by itself')
    return f'{whose}, {length:.2f} s', {
        'of deadtime': round(length / deadtime, 3),
        'answered meanwhile': in_words(w.who(begin + 0.2, resumed), owner.name),
        'afterwards': in_words(w.who(resumed, end), owner.name),
        'moved': 'yes' if moved else 'no',
        'nobody answered for (s)': round(w.gap(begin - 0.5, end), 2),
        'both answered, afterwards (ms)': round(overlap),
        'one owner after (s)': round(one, 2),
        'the sleeper said first': first_words(said)}


def in_words(names, owner):
    return ' and '.join(word for word, there in (('owner', owner in names), ('other', names.replace(owner, ''))) if there) or 'nobody'


def first_words(said):
    """The first line of its daemon, without date and process."""
    lines = [line.split(']: ', 1)[1] for _, line in said if re.search(r' heartbeat: \[\d+\]: ', line)]
    return lines[0] if lines else 'nothing'


def in_turn(hold, go, knows):
    with bed() as p:
        time.sleep(2)
        for whose, each in (('owner', lengths()), ('other', OF_THE_OTHER)):
            for length in each:
                yield stall(p, whose, length, hold, go, knows)


def stalls():
    """a whole machine is held with its clocks: one owner answers, whatever the length; the sleeper does not know"""
    yield from in_turn(lambda m: m.stop(), lambda m: m.cont(), False)


def stalls_freeze():
    """a whole machine is held and its clock goes on: it asks before it answers"""
    yield from in_turn(lambda m: m.freeze(), lambda m: m.thaw(), True)


def stalls_suspend():
    """a machine is suspended to memory and woken, heartbeats five seconds apart: it asks before it answers, and at once"""
    with bed(kernel='vmlinuz', keepalive='5', warntime='10', deadtime='20', initdead='30') as p:
        time.sleep(2)
        for whose, length in (('owner', 8), ('owner', 30), ('other', 30)):
            yield stall(p, whose, length, lambda m: m.suspend(), lambda m: m.wake(), keepalive=5, deadtime=20)
