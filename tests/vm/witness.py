"""A host on eth0 that belongs to nobody and believes nobody.

Fifty times a second it asks both machines by ARP who has the floating address, whatever is cut between them, and
writes down who answers and when. Each question has its own number in the asker's hardware address, where the answer goes.
"""
import bisect
import collections
import socket
import struct

from wires import now

ROUND = 0.02
OWN = '10.77.0.50'
Answer = collections.namedtuple('Answer', 'at asked side')      # when it came, when the question left, 'a' or 'b'


class Witness:
    def __init__(self, pair, address):
        self.wire, self.loop = pair.nets[0], pair.loop
        self.address = socket.inet_aton(address)
        self.asked, self.answers = [], []
        self.going = True
        self.wire.ears.append(self.hear)
        self.loop.call(self.ask)

    def close(self):
        self.going = False
        self.wire.ears.remove(self.hear)

    def ask(self):
        if not self.going:
            return
        number = len(self.asked)
        self.asked.append(now())
        own = bytes([0x02, 0x77]) + struct.pack('>I', number)
        frame = b'\xff' * 6 + own + struct.pack('>HHHBBH', 0x0806, 1, 0x0800, 6, 4, 1) + own + \
            socket.inet_aton(OWN) + b'\0' * 6 + self.address
        for side in (0, 1):
            self.wire.send(side, frame)
        self.loop.later(ROUND, self.ask)

    def hear(self, side, frame):
        """Takes an answer from the wire; all else is for the others."""
        if frame[:2] != b'\x02\x77' or len(frame) < 42:
            return False
        number = struct.unpack('>I', frame[2:6])[0]
        if frame[12:14] == b'\x08\x06' and frame[20:22] == b'\0\x02' and frame[28:32] == self.address \
                and number < len(self.asked):
            self.answers.append(Answer(now(), self.asked[number], 'ab'[side]))
        return True

    # -- what it knows. Times are seconds from `since`.

    def times(self, name, since, until=float('inf')):
        return [x.at for x in list(self.answers) if x.side == name and since <= x.at <= until]

    def who(self, since, until=float('inf')):
        """Who answered: '', 'a', 'b' or 'ab'."""
        return ''.join(n for n in 'ab' if self.times(n, since, until))

    def overlap(self, since, until=float('inf'), steady=0.2):
        """Milliseconds in which both answered: where answers of one stand between answers of the other that are no
        further apart than `steady`."""
        spans = []
        for name in 'ab':
            times, mine = self.times(name, since, until), []
            for t in times:
                if mine and t - mine[-1][1] <= steady:
                    mine[-1][1] = t
                else:
                    mine.append([t, t])
            spans.append([(begin, end + ROUND) for begin, end in mine])
        return 1000 * sum(max(0, min(b, d) - max(a, c)) for a, b in spans[0] for c, d in spans[1])

    def first(self, name, since):
        """Seconds from `since` to the first answer of this machine to a question that was asked after it."""
        return next((x.at - since for x in list(self.answers) if x.side == name and x.asked >= since), None)

    def last(self, name, since):
        """Seconds from `since` to its last answer; None where there was none."""
        times = self.times(name, since)
        return times[-1] - since if times else None

    def gap(self, since, until=float('inf')):
        """The longest time in which nobody answered, in seconds."""
        times = sorted(self.times('a', since, until) + self.times('b', since, until))
        return max((b - a for a, b in zip(times, times[1:])), default=0)

    def settled(self, since, until):
        """Seconds from `since` to the moment from which one machine alone answers, to `until`; None where it does not come."""
        recent = [x for x in list(self.answers) if since <= x.at <= until]
        alone = [(x.at, x.side) for x in recent]
        if not alone or until - alone[-1][0] > 0.5:
            return None
        owner = alone[-1][1]
        others = [t for t, side in alone if side != owner]
        own = [t for t, side in alone if side == owner]
        after = max(others, default=since)
        at = bisect.bisect_left(own, after)
        return own[at] - since if at < len(own) else None
