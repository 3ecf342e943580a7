"""Archives that a kernel takes for its first file system."""
import os
import stat


class Cpio:
    """A newc archive with fixed times, owners and inode numbers."""

    def __init__(self):
        self.parts, self.ino, self.seen = [], 0, set()

    def add(self, name, mode, data=b'', rdev=(0, 0)):
        name = name.strip('/')
        self.ino += 1
        raw = name.encode() + b'\0'
        head = '070701' + ''.join('%08X' % v for v in (
            self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(raw), 0))
        head = head.encode() + raw
        self.parts += [head, b'\0' * (-len(head) % 4), data, b'\0' * (-len(data) % 4)]

    def parents(self, name):
        bits = name.strip('/').split('/')[:-1]
        for i in range(1, len(bits) + 1):
            d = '/'.join(bits[:i])
            if d not in self.seen:
                self.seen.add(d)
                self.add(d, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.parents(name)
        self.add(name, stat.S_IFREG | mode, data)

    def tree(self, top):
        for base, dirs, files in os.walk(top):
            dirs.sort()
            rel = os.path.relpath(base, top)
            rel = '' if rel == '.' else rel
            for n in sorted(dirs + files):
                path, name = os.path.join(base, n), os.path.join(rel, n).strip('/')
                st = os.lstat(path)
                self.parents(name)
                if stat.S_ISLNK(st.st_mode):
                    self.add(name, stat.S_IFLNK | 0o777, os.readlink(path).encode())
                elif stat.S_ISDIR(st.st_mode):
                    if name not in self.seen:
                        self.seen.add(name)
                        self.add(name, stat.S_IFDIR | (st.st_mode & 0o7777))
                elif stat.S_ISREG(st.st_mode):
                    with open(path, 'rb') as f:
                        self.add(name, stat.S_IFREG | (st.st_mode & 0o7777), f.read())

    def bytes(self):
        tail = Cpio()
        tail.add('TRAILER!!!', 0)
        out = b''.join(self.parts + tail.parts)
        return out + b'\0' * (-len(out) % 512)
