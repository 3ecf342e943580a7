"""Runs the cases, prints a line for each thing that was tried, and leaves the table of all.

Run by `run`; names as arguments select, `-l` lists.
"""
import json
import os
import platform
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from bed import Bed, close
from cable_verdicts import serial_test
from check import Wrong
from deaths import deaths, watchdog_i6300esb, watchdog_ib700, watchdog_softdog
from director import director
from links import garbage, line_stall, noise, one_way, rates, serial_alone, three_wire
from machines import VmError
from stalls import stalls, stalls_freeze, stalls_suspend
from wires import now

# Those that can share a boot stand together.
CASES = [rates, one_way, serial_alone, line_stall, three_wire, serial_test, garbage, noise, deaths, stalls, stalls_freeze,
         stalls_suspend, watchdog_i6300esb, watchdog_ib700, watchdog_softdog, director]


class Table:
    """What was tried, what came out. `rows` as they come; files at the end."""

    def __init__(self, scratch):
        self.scratch, self.rows, self.begun = scratch, [], now()
        os.makedirs(scratch, exist_ok=True)

    def add(self, case, part, verdict, seconds, figures):
        self.rows.append({'case': case.__name__, 'claim': case.__doc__, 'tried': part, 'outcome': verdict,
                          'seconds': round(seconds, 1), 'figures': figures})
        print(f'{case.__name__:18} {verdict:5} {seconds:4.0f} s  {part}: {in_words(figures)}', flush=True)

    def bad(self):
        return sum(row['outcome'] != 'ok' for row in self.rows)

    def where(self):
        def first_line(*command):
            try:
                return subprocess.run(command, capture_output=True, text=True).stdout.strip().split('\n')[0]
            except OSError:
                return 'unknown'
        with open('/proc/cpuinfo') as f:
            model = next((line.split(':')[1].strip() for line in f if line.startswith('model name')), 'unknown')
        return {'date': time.strftime('%Y-%m-%d', time.gmtime()), 'emulator': first_line('qemu-system-x86_64', '--version'),
                'daemon': first_line(os.path.join(Bed.programs, 'heartbeat'), '-V'),
                'host': f'{os.cpu_count()} x {model}, Linux {platform.release()}', 'processors': 'emulated (TCG), one in each machine',
                'boots': Bed.boots_made, 'minutes': round((now() - self.begun) / 60, 1)}

    def leave(self):
        """table.json with everything, table.txt to read."""
        where = self.where()
        with open(os.path.join(self.scratch, 'table.json'), 'w') as f:
            json.dump({'where': where, 'rows': self.rows}, f, indent=1)
        with open(os.path.join(self.scratch, 'table.txt'), 'w') as f:
            f.write(''.join(f'{key}: {value}\n' for key, value in where.items()))
            for case in dict.fromkeys(row['case'] for row in self.rows):
                f.write(self.of_one(case))
        print(f'{len(self.rows)} tried, {self.bad()} wrong, {where["boots"]} boots of the pair, {where["minutes"]} minutes; '
              f'table.txt and table.json in {self.scratch}')

    def of_one(self, case):
        """A table with a column for each figure."""
        rows = [row for row in self.rows if row['case'] == case]
        good = [row for row in rows if row['outcome'] == 'ok']
        columns = [key for key in dict.fromkeys(key for row in good for key in row['figures']) if key != 'log']
        lines = [f"\n`{case}`: {rows[0]['claim']}.\n", '| | ' + ' | '.join(columns) + ' |', '|---' * (len(columns) + 1) + '|']
        for row in rows:
            figures = row['figures'] if row in good else {}
            cells = [str(figures.get(key, '')) for key in columns] if figures else [f"**{row['outcome']}** {row['figures']}"]
            lines.append(f"| {row['tried']} | {' | '.join(cells)} |")
        return '\n'.join(lines) + '\n'


def in_words(figures):
    if not isinstance(figures, dict):
        return str(figures)
    shown = {key: value for key, value in figures.items() if key != 'log'}
    return ', '.join(f'{key} {value}' for key, value in shown.items())


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
    table = Table(Bed.scratch)
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        begin = now()
        try:
            for part, figures in case():
                table.add(case, part, 'ok', now() - begin, figures)
                begin = now()
        except (Wrong, VmError) as error:
            table.add(case, 'what came next', 'WRONG', now() - begin, str(error))
    close()
    table.leave()
    return table.bad() > 0


if __name__ == '__main__':
    sys.exit(main())
