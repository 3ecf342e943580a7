"""QEMU's end for debuggers, used to break a kernel."""
import os
import re
import socket

from trouble import VmError


class Debugger:
    """Writes into the memory of a running machine, which pauses for that."""

    def __init__(self, machine):
        self.path = os.path.join(machine.pair.work, machine.name + '.gdb')
        self.machine = machine

    def write(self, address, data):
        def order(what):
            self.machine.cmd('human-monitor-command', command_line=f'gdbserver {what}')
        if os.path.exists(self.path):
            os.unlink(self.path)
        order(f'unix:{self.path},server=on,wait=off')
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.path)
            self.ask(s, 'Qqemu.PhyMemMode:1')
            self.ask(s, f'M{address:x},{len(data):x}:{data.hex()}')
            self.ask(s, 'D')
        order('none')

    def ask(self, s, packet):
        s.sendall(f'${packet}#{sum(packet.encode()) % 256:02x}'.encode())
        answer = b''        # perhaps behind a word that the machine has stopped
        while not re.search(rb'\$(OK|E[^#]*)#..', answer):
            more = s.recv(4096)
            if not more:
                raise VmError('the debugger went away')
            answer += more
        s.sendall(b'+')
        if b'$OK#' not in answer:
            raise VmError(f'debugger: {packet}: {answer!r}')
