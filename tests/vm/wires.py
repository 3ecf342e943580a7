"""The wires between the two machines: Ethernet and a null-modem cable.

Every byte and frame passes through one thread of this program, which can cut,
delay, thin or spoil each direction of each wire.
"""
import collections
import heapq
import itertools
import mmap
import os
import selectors
import socket
import struct
import threading
import time
import traceback

now = time.monotonic


class Loop(threading.Thread):
    """One thread that moves every byte and frame, and runs timers."""

    def __init__(self):
        super().__init__(daemon=True, name='wires')
        self.sel = selectors.DefaultSelector()
        self.timers, self.count = [], itertools.count()
        self.jobs = collections.deque()
        self.r, self.w = os.pipe()
        os.set_blocking(self.r, False)
        os.set_blocking(self.w, False)
        self.sel.register(self.r, selectors.EVENT_READ, lambda _m: None)
        self.going = True
        self.start()

    def run(self):
        while self.going:
            try:
                self.turn()
            except Exception:                   # one bad callback must not cut all wires
                traceback.print_exc()

    def turn(self):
        wait = None
        if self.timers:
            wait = max(0, self.timers[0][0] - now())
        for key, mask in self.sel.select(wait):
            if key.fd == self.r:
                try:
                    os.read(self.r, 4096)
                except BlockingIOError:
                    pass
            else:
                key.data(mask)
        while self.jobs:
            self.jobs.popleft()()
        t = now()
        while self.timers and self.timers[0][0] <= t:
            heapq.heappop(self.timers)[2]()

    def later(self, delay, fn):
        """Only from the loop's own thread."""
        heapq.heappush(self.timers, (now() + delay, next(self.count), fn))

    def call(self, fn):
        """Run fn in the loop's thread and return what it returns."""
        if threading.current_thread() is self:
            return fn()
        box, done = [], threading.Event()

        def job():
            try:
                box.append((fn(), None))
            except BaseException as e:          # handed to the caller
                box.append((None, e))
            done.set()
        self.jobs.append(job)
        try:
            os.write(self.w, b'x')
        except BlockingIOError:
            pass
        done.wait()
        value, err = box[0]
        if err:
            raise err
        return value

    def watch(self, sock, mask, fn):
        try:
            self.sel.modify(sock, mask, fn) if mask else self.sel.unregister(sock)
        except KeyError:
            if mask:
                self.sel.register(sock, mask, fn)

    def finish(self):
        self.call(lambda: setattr(self, 'going', False))
        self.join(2)


class Direction:
    """What happens to traffic going one way."""

    knobs = {'cut': False, 'loss': 0.0, 'delay': 0.0, 'jitter': 0.0, 'dup': 0.0, 'flip': 0.0}

    def __init__(self):
        for k, v in self.knobs.items():
            setattr(self, k, v)
        self.stats = collections.Counter()

    def show(self):
        return {**{k: getattr(self, k) for k in self.knobs
                   if getattr(self, k) != self.knobs[k]}, **self.stats}


class Ether:
    """A wire that carries Ethernet frames. What a machine does not fetch is lost after some 300 small ones, as in the ring of a
    card."""
    room, ring = 100 << 10, 64

    def __init__(self, loop, name, rng):
        self.loop, self.name, self.rng = loop, name, rng
        self.sock = [None, None]
        self.dirs = (Direction(), Direction())
        self.queue = (collections.deque(), collections.deque())
        self.ears = []                  # asked about each frame that a machine sends: (side, frame) -> keep it

    def attach(self, side):
        """A new socket pair for this side; returns the machine's end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for s in (ours, theirs):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.room)
        ours.setblocking(False)

        def do():
            self.drop_side(side)
            self.sock[side] = ours
            self.loop.watch(ours, selectors.EVENT_READ, lambda m: self.ready(side, m))
        self.loop.call(do)
        return theirs

    def drop_side(self, side):
        if self.sock[side]:
            self.loop.watch(self.sock[side], 0, None)
            self.sock[side].close()
            self.sock[side] = None
        self.queue[side].clear()

    def ready(self, side, mask):
        if mask & selectors.EVENT_WRITE:
            self.flush(side)
        if not mask & selectors.EVENT_READ:
            return
        d = self.dirs[side]
        for _ in range(64):
            try:
                frame = self.sock[side].recv(70000)
            except (BlockingIOError, AttributeError):
                return
            except OSError:
                return self.drop_side(side)
            if not frame:
                return self.drop_side(side)
            if any(ear(side, frame) for ear in self.ears):
                continue
            if d.cut or (d.loss and self.rng.random() < d.loss):
                d.stats['lost'] += 1
                continue
            if d.flip and self.rng.random() < d.flip:
                bad = bytearray(frame)
                bad[self.rng.randrange(14, len(bad))] ^= 1 << self.rng.randrange(8)
                frame = bytes(bad)
                d.stats['spoiled'] += 1
            for _n in range(2 if d.dup and self.rng.random() < d.dup else 1):
                wait = d.delay + (self.rng.random() * d.jitter if d.jitter else 0)
                if wait > 0:
                    self.loop.later(wait, lambda f=frame: self.send(1 - side, f))
                else:
                    self.send(1 - side, frame)

    def send(self, to, frame):
        q, d = self.queue[to], self.dirs[1 - to]
        if self.sock[to] is None or len(q) >= self.ring:
            d.stats['overflow'] += 1
            return
        q.append(frame)
        self.flush(to)

    def flush(self, to):
        q, d = self.queue[to], self.dirs[1 - to]
        try:
            while q:
                self.sock[to].send(q[0])
                q.popleft()
                d.stats['frames'] += 1
        except BlockingIOError:
            pass
        except OSError:
            q.clear()
            return self.drop_side(to)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if q else 0)
        self.loop.watch(self.sock[to], mask, lambda m: self.ready(to, m))


class SerialDirection(Direction):
    knobs = {**Direction.knobs, 'baud': 0}     # baud 0: what the sending machine programmed


TIOCM_DTR, TIOCM_RTS, TIOCM_CTS, TIOCM_CD, TIOCM_DSR = 2, 4, 0x20, 0x40, 0x100
SIDE, STATE = 32, 96


class Serial:
    """A null-modem cable.

    Bytes leave a UART no faster than the line rate, with about 6 ms of line
    time between the UART and the wire, so a full line backs up into the
    sender's driver as it does on hardware.  A receiver that does not read
    loses what exceeds `slack` bytes, as a UART overruns.  The rate is what
    the guests program, a mismatch gives rubbish, and RTS/DTR of one machine
    are CTS/DSR/DCD of the other.
    """
    tick, slack = 0.002, 256

    def __init__(self, loop, name, rng, state_path):
        self.loop, self.name, self.rng = loop, name, rng
        self.sock, self.peer_end = [None, None], [None, None]
        self.dirs = (SerialDirection(), SerialDirection())
        self.rxq = (collections.deque(), collections.deque())     # to side n
        self.rxlen, self.credit, self.last = [0, 0], [0.0, 0.0], [0.0, 0.0]
        self.busy, self.buf_rate, self.dry = [False, False], [0, 0], [0, 0]
        self.looped = False             # a loopback plug in the port of the first machine
        with open(state_path, 'wb') as f:
            f.write(b'\0' * STATE)
        self.file = open(state_path, 'r+b')
        self.state = mmap.mmap(self.file.fileno(), STATE)
        self.modem(True)

    # the shared state of nullmodem.c
    def word(self, off, value=None):
        if value is None:
            return struct.unpack_from('<I', self.state, off)[0]
        struct.pack_into('<I', self.state, off, value)

    def modem(self, on, cts=True, joined=False):
        """The modem wires are there, or not; CTS among them, or joined to RTS in each plug."""
        self.word(2 * SIDE, (1 if on else 0) | (0 if cts else 2) | (4 if joined else 0))

    def outputs_off(self, side):
        self.word(side * SIDE, 0)

    def port(self, side):
        o = side * SIDE
        v = struct.unpack_from('<5I', self.state, o)
        return {'DTR': bool(v[0] & TIOCM_DTR), 'RTS': bool(v[0] & TIOCM_RTS), 'baud': v[1],
                'cflag': v[2], 'programmed': v[3]}

    def rate(self, side):
        """Bytes per second leaving `side`."""
        p = self.port(side)
        c = p['cflag']
        bits = 2 + 5 + (c >> 4 & 3) + (1 if c & 0x40 else 0) + (1 if c & 0x100 else 0)
        return (self.dirs[side].baud or p['baud'] or 9600) / bits

    def mismatch(self, side):
        p, q = self.port(side), self.port(1 - side)
        return p['baud'] != q['baud'] or p['cflag'] != q['cflag']

    def attach(self, side):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)

        def do():
            self.drop_side(side)
            self.sock[side], self.peer_end[side] = ours, theirs.dup()
            self.buf_rate[side] = -1
            self.idle(side)
        self.loop.call(do)
        return theirs

    def drop_side(self, side):
        if self.sock[side]:
            self.loop.watch(self.sock[side], 0, None)
            self.sock[side].close()
            self.peer_end[side].close()
            self.sock[side] = self.peer_end[side] = None
        self.rxq[side].clear()
        self.rxlen[side] = 0
        self.outputs_off(side)

    def fit_buffer(self, side, rate):
        """Let about 6 ms of line time (8 bytes at least) sit unsent."""
        if self.buf_rate[side] != rate and self.peer_end[side]:
            self.buf_rate[side] = rate
            n = max(8, int(rate * 0.006))
            self.peer_end[side].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, n * 384)

    def mask(self, side):
        m = 0 if self.busy[side] else selectors.EVENT_READ
        return m | (selectors.EVENT_WRITE if self.rxq[side] else 0)

    def rewatch(self, side):
        if self.sock[side]:
            self.loop.watch(self.sock[side], self.mask(side), lambda m: self.ready(side, m))

    def idle(self, side):
        self.busy[side] = False
        self.credit[side] = 0.0
        self.rewatch(side)

    def ready(self, side, mask):
        if mask & selectors.EVENT_WRITE:
            self.flush(side)
        if mask & selectors.EVENT_READ and not self.busy[side]:
            self.busy[side], self.dry[side] = True, 0
            self.last[side] = now()
            self.rewatch(side)
            rate = self.rate(side)
            self.fit_buffer(side, rate)
            self.loop.later(1 / rate, lambda s=self.sock[side]: self.pump(side, s))

    def pump(self, side, sock):
        if sock is not self.sock[side] or sock is None:
            return
        rate, t = self.rate(side), now()
        self.fit_buffer(side, rate)
        self.credit[side] = min(self.credit[side] + (t - self.last[side]) * rate,
                                max(2, rate * 0.1))
        n = int(self.credit[side] + 1e-6)
        self.last[side] = t
        if n > 0:
            data = b''
            try:
                while len(data) < n:
                    more = sock.recv(n - len(data))
                    if not more:
                        return self.drop_side(side)
                    data += more
            except BlockingIOError:
                pass
            except OSError:
                return self.drop_side(side)
            self.credit[side] -= len(data)
            if data:
                self.carry(side, data)
                self.dry[side] = 0
            if len(data) < n:
                # QEMU refills its buffer a little late; do not charge the line for it
                self.dry[side] += 1
                if self.dry[side] > 4:
                    return self.idle(side)
                self.credit[side] = min(self.credit[side], rate * 0.004)
        wait = max(self.tick, (1 - self.credit[side]) / rate)
        self.loop.later(wait, lambda: self.pump(side, sock))

    def carry(self, side, data):
        d = self.dirs[side]
        if self.looped:
            if side == 0:
                self.put(0, data)
            return
        if d.cut:
            d.stats['lost'] += len(data)
            return
        if self.mismatch(side):
            d.stats['rubbish'] += len(data)
            data = bytes(self.rng.randrange(256) for _ in data if self.rng.random() < 0.7)
        if d.loss or d.flip or d.dup:
            out = bytearray()
            for c in data:
                if d.loss and self.rng.random() < d.loss:
                    d.stats['lost'] += 1
                    continue
                if d.flip and self.rng.random() < d.flip:
                    c ^= 1 << self.rng.randrange(8)
                    d.stats['spoiled'] += 1
                out.append(c)
                if d.dup and self.rng.random() < d.dup:
                    out.append(c)
            data = bytes(out)
        if d.delay:
            self.loop.later(d.delay, lambda: self.put(1 - side, data))
        else:
            self.put(1 - side, data)

    def put(self, to, data):
        d = self.dirs[1 - to]
        room = max(0, self.slack - self.rxlen[to]) if self.sock[to] else 0
        if len(data) > room:
            d.stats['overrun'] += len(data) - room
            data = data[:room]
        if data:
            self.rxq[to].append(data)
            self.rxlen[to] += len(data)
            self.flush(to)

    def flush(self, to):
        q, d = self.rxq[to], self.dirs[1 - to]
        try:
            while q:
                n = self.sock[to].send(q[0])
                d.stats['bytes'] += n
                self.rxlen[to] -= n
                if n < len(q[0]):
                    q[0] = q[0][n:]
                else:
                    q.popleft()
        except BlockingIOError:
            pass
        except OSError:
            return self.drop_side(to)
        self.rewatch(to)

    def inject(self, to, data):
        """Put bytes on the receiver's pin that nobody sent."""
        self.loop.call(lambda: self.put(to, data))
