"""What a case claims, and the figures it gives."""
KEEPALIVE, DEADTIME = 0.5, 4.0      # as in bed.py
SLACK = 0.5                         # an emulated machine on a busy host


class Wrong(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Wrong(what)


def within(seconds, low, high, what):
    """These seconds, to be shown."""
    check(seconds is not None and low <= seconds <= high, f'{what}: {seconds}, not from {low} to {high}')
    return round(seconds, 2)
