"""Two QEMU machines joined by the wires of wires.py.

Each has its own kernel, a 16550 UART (ttyS0), two NICs and an emulated
hardware watchdog, and can be run in, paused, reset, crashed, killed and
started again. ttyS1 is the kernel console, a file.
"""
import base64
import collections
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading

from cpio import Cpio
from debugger import Debugger
from trouble import VmError
from wires import Ether, Loop, Serial, now

NAMES = ('a', 'b')


class Timeout(VmError):
    pass


class Reset(VmError):
    """The machine was reset or went away while a command ran in it."""


Result = collections.namedtuple('Result', 'rc out')


class Machine:
    """One of the two.  Use the methods of Pair for the wires."""

    def __init__(self, pair, side):
        self.pair, self.side, self.name = pair, side, NAMES[side]
        self.cond = threading.Condition()
        self.proc = self.qmp = self.ctl = None
        self.events, self.boots, self.boot_id, self.up_at = [], 0, None, None
        self.ready = False              # the control server answers
        self.pending, self.serial_no = {}, itertools.count(1)
        self.qmp_no, self.qmp_wait = itertools.count(1), {}
        self.epoch = 0                  # counts QEMU processes
        self.frozen = False
        self.console = os.path.join(pair.work, self.name + '.console')
        self.disk = os.path.join(pair.work, self.name + '.persist')

    # -- life

    def note(self, event, data=None):
        with self.cond:
            self.events.append({'n': len(self.events), 't': round(now() - self.pair.t0, 4),
                                'event': event, 'data': data or {}})
            self.cond.notify_all()

    def start(self):
        """Power on.  Returns at once; wait_boot() waits for userland."""
        if self.running():
            raise VmError(f'{self.name} is running')
        p, fds = self.pair, []

        def keep(s):
            fds.append(s.fileno())
            return s.fileno()
        socks = []

        def pair_for():
            ours, theirs = socket.socketpair()
            socks.append(theirs)
            return ours, keep(theirs)
        self.qmp, qfd = pair_for()
        self.ctl, cfd = pair_for()
        theirs = p.serial.attach(self.side)
        socks.append(theirs)
        sfd = keep(theirs)
        args = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none',
                '-name', 'vm-' + self.name, '-machine', 'pc', '-cpu', 'max', '-smp', '1',
                '-m', '256', '-accel', 'tcg,tb-size=64',
                '-kernel', os.path.join(p.out, p.kernel), '-initrd', self.initrd(),
                '-append', 'console=ttyS1,115200 quiet panic=1 no_timer_check '
                f'tsc=reliable tsc_early_khz={p.tsc_khz}',
                '-action', 'watchdog=reset',
                '-chardev', f'socket,id=qmp,fd={qfd}', '-mon', 'chardev=qmp,mode=control',
                '-chardev', f'file,id=con,path={self.console},append=on',
                '-device', 'isa-serial,index=1,chardev=con']
        args += ['-add-fd', f'fd={sfd},set=1',
                 '-chardev', 'serial,id=line,path=/dev/fdset/1',
                 '-device', 'isa-serial,index=0,chardev=line',
                 '-device', 'virtio-serial-pci,addr=03',
                 '-chardev', f'socket,id=ctl,fd={cfd}',
                 '-device', 'virtserialport,chardev=ctl,name=ctl',
                 '-device', 'virtio-rng-pci,addr=04']
        if p.wdt == 'i6300esb':
            args += ['-device', 'i6300esb,addr=05']
        elif p.wdt == 'ib700':
            args += ['-device', 'ib700']        # softdog is a part of the guest's kernel
        if p.persist:
            if not os.path.exists(self.disk):
                with open(self.disk, 'wb') as f:
                    f.truncate(16 << 20)
                subprocess.run(['mke2fs', '-q', '-t', 'ext4', '-F', self.disk], check=True,
                               env={**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'})
            args += ['-drive', f'if=none,id=keep,file={self.disk},format=raw,cache=writeback',
                     '-device', 'virtio-blk-pci,drive=keep,addr=07,serial=keep']
        for i, w in enumerate(p.nets):
            theirs = w.attach(self.side)
            socks.append(theirs)
            args += ['-netdev', f'dgram,id=n{i},local.type=fd,local.str={keep(theirs)}',
                     '-device', f'virtio-net-pci,netdev=n{i},id=eth{i},addr={0x10 + i:02x},romfile=,'
                     f'mac=52:54:00:1a:{i:02x}:{self.side + 1:02x}']
        env = dict(os.environ, LD_PRELOAD=os.path.join(p.out, 'nullmodem.so'),
                   NULLMODEM_STATE=p.state_path, NULLMODEM_SIDE=str(self.side))
        # the machines die with this process
        args = ['setpriv', '--pdeathsig', 'KILL'] + args
        log = open(os.path.join(p.work, self.name + '.qemu'), 'ab')
        self.ready, self.frozen, self.epoch = False, False, self.epoch + 1
        self.proc = p.loop.call(lambda: subprocess.Popen(
            args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=fds, env=env))
        log.close()
        for s in socks:
            s.close()
        self.note('START', {'pid': self.proc.pid})
        for fn in (self.read_qmp, self.read_ctl):
            threading.Thread(target=fn, args=(self.epoch,), daemon=True).start()
        self.cmd('qmp_capabilities')

    def initrd(self):
        p, c = self.pair, Cpio()
        conf = {'NODE': p.hostnames[self.side],
                'PANIC': p.panic,
                'WDT': {'ib700': 'ib700wdt'}.get(p.wdt, p.wdt)}
        names = p.hostnames
        hosts = ''
        for i in range(len(p.nets)):
            conf[f'ETH{i}'] = p.address(self.side, i) + '/24'
            for s in (0, 1):
                hosts += f'{p.address(s, i)} {names[s]}{"" if i == 0 else "-" + str(i)}\n'
        conf['HOSTS'] = hosts
        if p.persist:
            conf['PERSIST_DEV'] = '/dev/vda'
            conf['PERSIST'] = ' '.join(p.persist)
        text = ''.join(f"{k}='{v}'\n" for k, v in conf.items())
        c.file('etc/vm.conf', text.encode())
        for f in (p.files.get('both', {}), p.files.get(self.name, {})):
            for name, data in f.items():
                mode = 0o644
                if isinstance(data, tuple):
                    data, mode = data
                if isinstance(data, str):
                    data = data.encode()
                c.file(name.lstrip('/'), data, mode)
        path = os.path.join(p.work, self.name + '.initrd')
        shutil.copyfile(os.path.join(p.out, 'base.cpio'), path)
        with open(path, 'ab') as f:
            f.write(c.bytes())
        return path

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    def gone(self, epoch):
        if epoch != self.epoch:
            return
        rc = self.proc.wait()
        with self.cond:
            self.ready = False
            self.fail_pending()
        self.note('EXIT', {'rc': rc})

    def fail_pending(self):
        for k in list(self.pending):
            if self.pending[k] is None:
                self.pending[k] = Reset(f'{self.name} was reset or went away')
        self.cond.notify_all()

    # -- QMP

    def read_qmp(self, epoch):
        sock, buf = self.qmp, b''
        while True:
            try:
                more = sock.recv(65536)
            except OSError:
                more = b''
            if not more:
                with self.cond:
                    if epoch == self.epoch:
                        self.qmp_wait = {k: {'error': {'desc': 'QEMU went away'}}
                                         for k in self.qmp_wait}
                        self.cond.notify_all()
                return self.gone(epoch)
            buf += more
            while b'\n' in buf:
                raw, buf = buf.split(b'\n', 1)
                m = json.loads(raw)
                if 'event' in m:
                    if m['event'] == 'RESET':
                        self.pair.serial.outputs_off(self.side)
                        with self.cond:
                            self.ready = False
                            self.fail_pending()
                    if m['event'] != 'RTC_CHANGE':
                        self.note(m['event'], m.get('data'))
                elif 'id' in m:
                    with self.cond:
                        self.qmp_wait[m['id']] = m
                        self.cond.notify_all()

    def cmd(self, execute, /, timeout=30, **args):
        """A QMP command."""
        i = next(self.qmp_no)
        with self.cond:
            self.qmp_wait[i] = None
        msg = {'execute': execute, 'id': i}
        if args:
            msg['arguments'] = {k.replace('_', '-'): v for k, v in args.items()}
        try:
            self.qmp.sendall(json.dumps(msg).encode() + b'\n')
        except OSError as e:
            raise VmError(f'{self.name}: QMP: {e}')
        with self.cond:
            if not self.cond.wait_for(lambda: self.qmp_wait[i] is not None, timeout):
                raise Timeout(f'{self.name}: QMP {execute}')
            m = self.qmp_wait.pop(i)
        if 'error' in m:
            raise VmError(f'{self.name}: QMP {execute}: {m["error"].get("desc")}')
        return m.get('return')

    # -- control channel

    def read_ctl(self, epoch):
        sock, buf = self.ctl, b''
        while True:
            try:
                more = sock.recv(1 << 20)
            except OSError:
                more = b''
            if not more or epoch != self.epoch:
                return
            buf += more
            while b'\n' in buf:
                raw, buf = buf.split(b'\n', 1)
                f = raw.decode('ascii', 'replace').split(' ')
                if f[0] == 'H' and len(f) == 3:
                    with self.cond:
                        if f[1] != self.boot_id:
                            self.boots += 1
                        self.boot_id, self.ready, self.up_at = f[1], True, now()
                        self.fail_pending()
                    self.note('UP', {'boot': self.boots, 'guest_uptime': float(f[2])})
                elif f[0] == 'D' and len(f) == 4:
                    with self.cond:
                        k = int(f[1])
                        if k in self.pending:
                            self.pending[k] = Result(int(f[2]), base64.b64decode(f[3]))
                            self.cond.notify_all()

    def ask(self, verb, rest, timeout):
        with self.cond:
            if not self.ready:
                raise VmError(f'{self.name} is not up')
            k = next(self.serial_no)
            self.pending[k] = None
            self.ctl.sendall(f'{verb} {k} {rest}\n'.encode())
            try:
                if not self.cond.wait_for(lambda: self.pending[k] is not None, timeout):
                    if self.ready and not self.frozen:
                        self.ctl.sendall(f'K {k}\n'.encode())
                    raise Timeout(f'{self.name}: no answer in {timeout} s')
                r = self.pending[k]
            finally:
                del self.pending[k]
        if isinstance(r, Exception):
            raise r
        return r

    def run(self, cmd, timeout=60):
        """Run a shell command in the guest; its output and exit status.

        What the command leaves in the background does not hold it up."""
        r = self.ask('R', base64.b64encode(cmd.encode()).decode(), timeout)
        return Result(r.rc, r.out.decode('utf-8', 'replace'))

    def sh(self, cmd, timeout=60):
        """run(), but a failure raises; returns the output without its end of line."""
        r = self.run(cmd, timeout)
        if r.rc:
            raise VmError(f'{self.name}: {cmd!r}: status {r.rc}: {r.out[-2000:]}')
        return r.out.rstrip('\n')




    # -- waiting

    def wait_boot(self, n=None, timeout=60):
        """Wait until boot number n (default: the current one) is in userland."""
        with self.cond:
            n = n or max(self.boots, 1)
            if not self.cond.wait_for(lambda: self.ready and self.boots >= n, timeout):
                raise Timeout(f'{self.name}: boot {n} not up in {timeout} s '
                              f'(boots={self.boots}, see {self.console})')
        return self.boots

    def wait_event(self, name, since=0, timeout=60, **data):
        """Wait for a QMP event with number >= since; returns it."""
        def find():
            for e in self.events[since:]:
                if e['event'] == name and all(e['data'].get(k) == v for k, v in data.items()):
                    return e
        with self.cond:
            if not self.cond.wait_for(find, timeout):
                raise Timeout(f'{self.name}: no {name} event in {timeout} s')
            return find()

    def mark(self):
        """A number to hand to wait_event as `since`."""
        return len(self.events)

    # -- harm

    def stop(self):
        """Pause: the guest's clocks stand still (QMP stop)."""
        self.cmd('stop')

    def cont(self):
        self.cmd('cont')

    def freeze(self):
        """Pause by SIGSTOP: time goes on meanwhile, as in a stalled machine."""
        os.kill(self.proc.pid, signal.SIGSTOP)
        self.frozen = True
        self.note('FROZEN')

    def thaw(self):
        os.kill(self.proc.pid, signal.SIGCONT)
        self.frozen = False
        self.note('THAWED')

    def reset(self):
        """The reset button."""
        self.cmd('system_reset')

    def prepare_hang(self):
        """Puts `cli; hlt` where sysrq-c begins. The next boot is as before."""
        symbols = self.sh('grep -w sysrq_handle_crash /proc/kallsyms')
        at = int(symbols.split()[0], 16) - 0xffffffff80000000      # the kernel is not relocated
        Debugger(self).write(at, bytes.fromhex('faf4ebfd'))

    def hang(self):
        """Hangs the machine with its interrupts off, for good: prepare_hang() comes first."""
        with self.cond:
            if not self.ready:
                raise VmError(f'{self.name} is not up')
            job = f'R {next(self.serial_no)} '      # which nobody waits for
            self.ctl.sendall(job.encode() + base64.b64encode(b'echo c >/proc/sysrq-trigger') + b'\n')

    def suspend(self):
        """Has the guest suspend itself to memory, as `systemctl suspend` does; returns once it sleeps."""
        mark = self.mark()
        self.sh('(echo mem >/sys/power/state) >/dev/null 2>&1 &')
        self.wait_event('SUSPEND', mark, 30)

    def wake(self):
        self.cmd('system_wakeup')

    def panic(self):
        """Crash the kernel; it reboots after PANIC seconds, or hangs with 0."""
        try:
            self.run('echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger', 3)
        except (Reset, Timeout):
            pass

    def kill(self):
        """Pull the power cord.  start() puts it back."""
        if self.running():
            if self.frozen:
                self.frozen = False
            self.proc.kill()
        if self.proc:
            self.proc.wait()
            self.wait_event('EXIT', since=next(e['n'] for e in reversed(self.events)
                                               if e['event'] == 'START'), timeout=10)


class Pair:
    def __init__(self, out, work, hostnames, files, persist=(), wdt='i6300esb', panic=1, kernel='vmlinux',
                 seed=1):
        """
        out       what build-guest made
        work      consoles and small files of this run
        files     {'a': {'/etc/x': text | (text, mode)}, 'b': ..., 'both': ...} in the guests
        persist   directories kept on a small disk over resets and power cuts
        wdt       i6300esb, ib700 or softdog
        kernel    vmlinux, or vmlinuz, which boots slowly and can be suspended
        panic     seconds from a kernel panic to reboot; 0 hangs for the watchdog
        """
        os.makedirs(work, exist_ok=True)
        self.out, self.work = os.path.abspath(out), os.path.abspath(work)
        self.hostnames, self.files, self.persist = hostnames, files, list(persist)
        self.wdt, self.panic, self.kernel = wdt, panic, kernel
        # A kernel that measures it itself while the host is busy has a clock that is wrong by a multiple.
        self.tsc_khz = int(subprocess.run([os.path.join(out, 'tool'), 'tsc'], stdout=subprocess.PIPE, check=True).stdout)
        self.t0 = now()
        self.loop = Loop()
        rng = random.Random(seed)
        self.state_path = os.path.join(self.work, 'lines')
        self.serial = Serial(self.loop, 'serial', rng, self.state_path)
        self.nets = [Ether(self.loop, f'eth{i}', rng) for i in range(2)]
        self.wires = {w.name: w for w in [self.serial] + self.nets}
        for n in NAMES:
            for ext in ('.console', '.qemu', '.persist'):
                try:
                    os.unlink(os.path.join(self.work, n + ext))
                except FileNotFoundError:
                    pass
        self.a, self.b = Machine(self, 0), Machine(self, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    @staticmethod
    def address(side, net):
        return f'10.77.{net}.{side + 1}'

    def up(self, timeout=240):
        """Start both and wait for userland; seconds it took."""
        t = now()
        self.a.start()
        self.b.start()
        self.a.wait_boot(1, timeout)
        self.b.wait_boot(1, timeout)
        return now() - t

    def down(self):
        for m in (self.a, self.b):
            if m.running():
                m.proc.kill()
                m.proc.wait()
        if self.loop.going:
            self.loop.finish()

    def dirs_of(self, link, way):
        w = self.wires[link]
        return {'both': w.dirs, 'ab': w.dirs[:1], 'ba': w.dirs[1:]}[way]

    def set(self, link, way='both', **knobs):
        """cut, loss, delay, jitter, dup, flip; and baud on the serial wire."""
        ds = self.dirs_of(link, way)
        for k in knobs:
            if k not in ds[0].knobs:
                raise VmError(f'no such setting: {k}')

        def do():
            for d in ds:
                for k, v in knobs.items():
                    setattr(d, k, v)
        self.loop.call(do)

    def cut(self, link, way='both'):
        """Lose everything; with both ways of the cable also its modem wires."""
        self.set(link, way, cut=True)
        if link == 'serial' and way == 'both':
            self.serial.modem(False)

    def restore(self, link, way='both'):
        self.set(link, way, **self.dirs_of(link, way)[0].knobs)
        if link == 'serial':
            self.serial.modem(True)
