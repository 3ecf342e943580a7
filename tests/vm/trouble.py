"""What the machines raise."""


class VmError(Exception):
    pass
