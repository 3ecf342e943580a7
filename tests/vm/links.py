"""Cases of the links: rates, cuts, handshake wires, noise. Each yields what it tried and its figures, in seconds."""
import itertools
import os
import random
import re
import time

from bed import ALL_LINKS, LINKS, Tap, bed
from check import DEADTIME, KEEPALIVE, SLACK, check, within
from wires import now

UNDISTURBED = 'is dead|Late heartbeat'


def rates():
    """serial at three rates beside two networks: every subset of links cut and healed; while one link is left nothing moves"""
    for baud in (9600, 19200, 115200):
        with bed(media=f'baud {baud}\nserial /dev/ttyS0\nbcast eth0\nbcast eth1', start=False) as p:
            begin = now()
            up = started(p, begin)
            check(p.serial.port(0)['baud'] == p.serial.port(1)['baud'] == baud, 'another rate')
            time.sleep(5)
            bad = [line for n in 'ab' for _, line in p.lines(n, begin, 'dead|Late|timeout|refused')]
            check(p.all_up() and p.holder() == 'a' and not bad, f'the pair does not stay up: {bad}')
            yield f'{baud} baud, start', up
            for size in (1, 2):
                downs, ups = [], []
                for subset in itertools.combinations(LINKS, size):
                    down, mended = cut_and_heal(p, subset)
                    downs, ups = downs + down, ups + mended
                check(p.holder() == 'a' and len(p.held('a')) == 1 and not p.held('b'), 'the address moved')
                check(not any(p.lines(n, begin, UNDISTURBED) for n in 'ab'), 'a node was thought late or dead')
                check(p.witness.who(begin) == 'a', 'another machine answered')
                yield f'{baud} baud, any {size} of 3 links cut', {
                    'link down, first': within(min(downs), 0, DEADTIME + SLACK, 'down'),
                    'link down, last': within(max(downs), 0, DEADTIME + SLACK, 'down'),
                    'link up again, last': within(max(ups), 0, 3, 'up')}
            yield f'{baud} baud, all links cut', all_cut(p)


def started(p, begin):
    """Seconds from `begin`, when the daemons are started, until they had all links and the first machine the address."""
    p.begin()
    ups = [p.wait_line(n, begin, f'Link .*:{name} up') for n in 'ab' for name in LINKS.values()]
    check(None not in ups, f'links up: {ups}')
    return {'links up': within(max(ups), 0, 20, 'links up'), 'address there': within(p.took('a', begin), 0, 20, 'address')}


def cut_and_heal(p, subset):
    """Seconds to each `down` and each `up` that was told."""
    cut = now()
    for link in subset:
        p.cut(link)
    names = [LINKS[link] for link in subset]
    downs = [p.wait_line(n, cut, f'Link .*:{name} dead') for n in 'ab' for name in names]
    for m in p.both():
        states = p.links(m)
        want = {n: 'dead' if n in names else 'up' for n in LINKS.values()}
        check(states == want, f'{subset}: {states}')
    mended = now()
    for link in subset:
        p.restore(link)
    ups = [p.wait_line(n, mended, f'Link .*:{name} up') for n in 'ab' for name in names]
    check(None not in downs + ups, f'{subset}: a link was not told: {downs} {ups}')
    return downs, ups


def all_cut(p):
    """Nobody can tell this from a death: both own, until the first word after it."""
    cut = now()
    for link in LINKS:
        p.cut(link)
    second = p.took('b', cut)
    time.sleep(2)
    check(p.holder() == 'ab', 'without any link each node holds the other for dead')
    healed = now()
    for link in LINKS:
        p.restore(link)
    check(p.until(lambda: p.all_up() and len(p.holder()) == 1, 30) is not None, f'owners: {p.holder()}')
    time.sleep(2)
    one = p.witness.settled(healed, now())
    return {'second owner': within(second, DEADTIME - KEEPALIVE - SLACK, DEADTIME + 2, 'second owner'),
            'one owner after the healing': within(one, 0, 3, 'one owner')}


def one_way():
    """each cable cut in one direction: the machine that hears nothing tells it, and nothing moves"""
    with bed() as p:
        begin, downs, ups = now(), [], []
        for link, name in LINKS.items():
            for way, deaf in (('ab', 'b'), ('ba', 'a')):
                cut = now()
                p.cut(link, way)
                downs.append(p.wait_line(deaf, cut, f'Link .*:{name} dead'))
                for m in p.both():
                    states = p.links(m)
                    want = {n: 'dead' if n == name and m.name == deaf else 'up' for n in LINKS.values()}
                    check(states == want, f'{link} {way}: {states}')
                mended = now()
                p.restore(link, way)
                ups.append(p.wait_line(deaf, mended, f'Link .*:{name} up'))
        check(None not in downs + ups, f'a link was not told: {downs} {ups}')
        check(p.holder() == 'a' and len(p.held('a')) == 1 and not p.held('b'), 'the address moved')
        check(not any(p.lines(n, begin, UNDISTURBED) for n in 'ab'), 'a node was thought late or dead')
        yield '3 cables, 2 directions', {'link down, last': within(max(downs), 0, DEADTIME + SLACK, 'down'),
                                         'link up again, last': within(max(ups), 0, 3, 'up')}


def serial_alone():
    """both networks cut for five times deadtime: the serial line keeps the pair"""
    with bed() as p:
        begin = now()
        p.cut('eth0')
        p.cut('eth1')
        time.sleep(5 * DEADTIME)
        check(set(p.links(p.b).items()) >= {('/dev/ttyS0', 'up'), ('eth0', 'dead')}, p.links(p.b))
        check(p.holder() == 'a', 'the address moved')
        check(not any(p.lines(n, begin, UNDISTURBED) for n in 'ab'), 'a node was thought late or dead')
        p.restore('eth0')
        p.restore('eth1')
        yield '20 s', {'links up again': within(p.until(p.all_up, 30), 0, 5, 'back')}


def line_stall():
    """CTS falls, by pulled cable and by RTS of a living peer: other links undisturbed, nothing stale afterwards"""
    with bed(media=ALL_LINKS + '\nserial_flow rtscts') as p:
        tap = Tap(p)

        def rts(state):
            p.b.sh(f'/vm/tool rts /dev/ttyS0 {state}')
        for what, stop, go in (('cable pulled', lambda: p.cut('serial'), lambda: p.restore('serial')),
                               ('RTS of the peer off', lambda: rts('off'), lambda: rts('on'))):
            begin = now()
            stop()
            time.sleep(4 * DEADTIME)
            end = now()
            sent = tap.times('serial', 'a', begin + 1, end)
            check(not sent, f'{len(sent)} heartbeats passed a line without CTS')
            pause = max(tap.longest_pause(w, s, begin, end) for w in ('eth0', 'eth1') for s in 'ab')
            check(not any(p.lines(n, begin, 'Late heartbeat') for n in 'ab'), 'a late heartbeat')
            go()
            check(p.until(p.all_up, 20) is not None, 'the serial link does not come back')
            time.sleep(5)
            age = max(tap.oldest(s, end) for s in 'ab')
            yield what, {'longest pause on the networks': within(pause, 0, KEEPALIVE + SLACK, 'pause'),
                         'oldest heartbeat afterwards': within(age, 0, 2.5, 'age')}
        tap.close()
        check(p.holder() == 'a', 'the address moved')


def three_wire():
    """no handshake wires: the serial link works as it is; wires that come and go are followed, and told"""
    works, missing = 'uses RTS/CTS flow control', 'does without RTS/CTS flow control'
    with bed(start=False) as p:
        begin = now()
        p.serial.modem(False)
        up = started(p, begin)
        told = [p.wait_line(n, begin, missing, 30) for n in 'ab']
        check(None not in told, 'three wires are not told')
        yield 'at the start', {**up, 'told': within(max(told), 0, 30, 'told')}
        for what, wires, words in (('wires come', True, works), ('wires go', False, missing)):
            change = now()
            p.serial.modem(wires)
            time.sleep(3 * DEADTIME)
            check(p.all_up(), f'a link is down with modem wires {wires}')
            seen = [p.wait_line(n, change, words, 90) for n in 'ab']
            check(None not in seen, f'not told: {words}')
            # When the wires go the line stands still for three seconds and a little, of the four of deadtime.
            check(not any(p.lines(n, begin, 'is dead') for n in 'ab'), 'a node was thought dead')
            check(p.holder() == 'a' and len(p.held('a')) == 1, 'the address moved')
            yield what, {'told': within(max(seen), 0, 75, 'told')}


def garbage():
    """wrong baud rate, then garbage between the messages: few log lines, and it recovers"""
    with bed(start=False, media_b='baud 9600\nserial /dev/ttyS0\nbcast eth0\nbcast eth1') as p:
        for m in p.both():
            p.launch(m)
        check(p.until(lambda: p.holder() == 'a', 60) is not None, 'the pair does not come up')
        begin, counts = now(), []
        time.sleep(30)
        counts.append(sum(len(p.lines(n, begin)) for n in 'ab'))
        p.halt(p.b)
        p.conf['b'] = {path: re.sub('baud 9600', 'baud 19200', text) for path, text in p.conf['b'].items()}
        p.put(p.b)
        p.launch(p.b)
        back = p.until(p.all_up, 30)
        check(counts[0] <= 8, f'log lines: {counts}')
        yield 'another rate at the other end', {'log lines in 30 s': counts[0],
                                                'links up with the right one': within(back, 0, 30, 'recovery')}
        rng = random.Random(1)
        kinds = {'any bytes': lambda: bytes(rng.randrange(256) for _ in range(100)), 'beginnings': lambda: b'>>>\n' * 25,
                 'forgeries': lambda: b'>>>\nt=status\nsrc=node-b\nseq=%x\nauth=1 00\n<<<\n' % rng.randrange(1 << 30),
                 'one letter': lambda: b'x' * 100}
        for what, bytes_of in kinds.items():
            begin = now()
            while now() - begin < 15:
                p.serial.inject(0, bytes_of())
                time.sleep(0.1)
            count = len(p.lines('a', begin))
            back = p.until(p.all_up, 10)
            check(count <= 8, f'log lines: {count}')
            check(p.holder() == 'a' and len(p.held('a')) == 1, 'the address moved')
            yield what, {'log lines in 15 s': count, 'links up': within(back, 0, 10, 'recovery')}


def noise():
    """serial as the only link at 2400 baud, one byte in a thousand lost or spoiled: nobody is thought dead"""
    seconds = float(os.environ.get('NOISE_SECONDS', '120'))
    with bed(media='baud 2400\nserial /dev/ttyS0', keepalive='1', warntime='3', deadtime='10', initdead='20') as p:
        begin, before = now(), [dict(d.stats) for d in p.serial.dirs]
        p.set('serial', loss=0.0005, flip=0.0005)
        time.sleep(seconds)
        late = [int(line.split()[-2]) for n in 'ab' for _, line in p.lines(n, begin, 'Late heartbeat')]
        check(not any(p.lines(n, begin, 'dead') for n in 'ab'), 'somebody was thought dead')
        check(p.holder() == 'a' and len(p.held('a')) == 1, 'the address moved')
        harm = sum(d.stats[k] - b.get(k, 0) for d, b in zip(p.serial.dirs, before) for k in ('lost', 'spoiled'))
        yield f'{seconds:.0f} s', {'bytes harmed': harm, 'latest heartbeat, of 10': max(late, default=0) / 1000}
