"""Reads what disk_shim.cpp wrote down and says what a disk may hold when the power fails after any of it.

What POSIX promises is little: a file's bytes are on the disk once it was synced, a name once its folder was. Anything else may be there or
not, in any mixture, but names change in their order and each change whole.
"""

import os
import random


class Change:
    def __init__(self, kind, words, data=b""):
        self.kind, self.words, self.data = kind, words, data

    def __repr__(self):
        return f"{self.kind} {' '.join(map(str, self.words))}"


def read_record(file):
    raw = file.read_bytes()
    changes, at = [], 0
    while at < len(raw):
        end = raw.index(b"\n", at)
        kind, _, rest = raw[at:end].decode().partition(" ")
        at = end + 1
        if kind == "open":
            fd, flags, path = rest.split(" ", 2)
            changes.append(Change(kind, (int(fd), flags, path)))
        elif kind == "write":
            fd, offset, count = map(int, rest.split())
            changes.append(Change(kind, (fd, offset), raw[at:at + count]))
            at += count
        elif kind in ("rename", "link"):
            changes.append(Change(kind, tuple(rest.split("\t"))))
        elif kind == "truncate":
            changes.append(Change(kind, tuple(map(int, rest.split()))))
        elif kind == "sync":
            changes.append(Change(kind, (int(rest),)))
        else:
            changes.append(Change(kind, (rest,)))
    return changes


class File:
    """Bytes, and what was done to them since they were last synced."""

    def __init__(self):
        self.synced = b""
        self.pending = []  # (offset, bytes) or (None, length)

    def bytes(self, pending=None):
        data = bytearray(self.synced)
        for offset, what in self.pending if pending is None else pending:
            if offset is None:
                data = data[:what].ljust(what, b"\0")
            else:
                data = data.ljust(offset, b"\0")
                data[offset:offset + len(what)] = what
        return bytes(data)

    def sync(self):
        self.synced, self.pending = self.bytes(), []


class Disk:
    """Names and files below a folder, as they are and as they would be after a power cut."""

    def __init__(self, root):
        self.root = root
        self.files = []
        self.names = {root: ("folder", root)}  # path to a file's number or a folder
        self.synced_names = dict(self.names)
        self.pending_names = []  # since then: (folders whose names change, path to what it becomes)
        self.handles = {}  # descriptor to [what, whether it appends, place]

    def apply(self, change):
        if change.kind == "write":
            self.on_write(*change.words, change.data)
        else:
            getattr(self, "on_" + change.kind)(*change.words)

    def on_open(self, fd, flags, path):
        what = self.names.get(path)
        if what is None:
            what = len(self.files)
            self.files.append(File())
            self._rename({path: what})
        if isinstance(what, int) and "t" in flags and self.files[what].bytes():
            self.files[what].pending.append((None, 0))
        self.handles[fd] = [what, "a" in flags, 0]

    def on_write(self, fd, offset, data):
        what, appends, place = self.handles[fd]
        file = self.files[what]
        at = offset if offset >= 0 else len(file.bytes()) if appends else place
        file.pending.append((at, data))
        if offset < 0:
            self.handles[fd][2] = at + len(data)

    def on_truncate(self, fd, length):
        self.files[self.handles[fd][0]].pending.append((None, length))

    def on_sync(self, fd):
        what = self.handles[fd][0]
        if isinstance(what, int):
            self.files[what].sync()
        else:
            self._sync_folder(what[1])

    def on_rename(self, old, new):
        if not isinstance(self.names[old], int):
            raise ValueError(f"{old}: a folder that gets another name is not modelled")
        self._rename({old: None, new: self.names[old]})

    def on_link(self, old, new):
        self._rename({new: self.names[old]})

    def on_remove(self, path):
        self._rename({path: None})

    def on_mkdir(self, path):
        self._rename({path: ("folder", path)})

    def _rename(self, values):
        self.pending_names.append(({os.path.dirname(path) for path in values}, values))
        self._change(self.names, values)

    @staticmethod
    def _change(names, values):
        for path, value in values.items():
            if value is None:
                names.pop(path, None)
            else:
                names[path] = value

    def _sync_folder(self, path):
        kept = []
        for folders, values in self.pending_names:
            if path in folders:
                self._change(self.synced_names, values)
            else:
                kept.append((folders, values))
        self.pending_names = kept

    def _contents(self, names, bytes_of):
        found = {}
        for path, what in sorted(names.items()):
            # what is in no folder is gone
            if path == self.root or os.path.dirname(path) in found:
                found[path] = bytes_of(self.files[what]) if isinstance(what, int) else None
        return found

    def contents(self):
        """Path to bytes, None for a folder: what the next process sees if only this one died."""
        return self._contents(self.names, File.bytes)

    def after_power_cut(self, kind, seed=0):
        """The same after a power cut that kept only what was synced ("synced"), of the rest only names ("names") or only
        bytes ("bytes"), or ("mixed") the first changes of names and any of the writes, the last of them torn."""
        if kind == "synced":
            return self._contents(self.synced_names, lambda file: file.synced)
        if kind == "names":
            return self._contents(self.names, lambda file: file.synced)
        if kind == "bytes":
            return self._contents(self.synced_names, File.bytes)
        chance = random.Random(seed)
        names = dict(self.synced_names)
        for _, values in self.pending_names[:chance.randint(0, len(self.pending_names))]:
            self._change(names, values)

        def some(file):
            kept = [one for one in file.pending if chance.random() < 0.5]
            if kept and kept[-1][0] is not None:
                offset, data = kept.pop()
                kept.append((offset, data[:chance.randint(0, len(data))]))
            return file.bytes(kept)

        return self._contents(names, some)
