"""Run as a program: how much more memory bpnet.load takes for each file named, and what comes of it, as JSON lines.

python load_memory.py MANNER FILE...      MANNER: path, bytes, bytearray or stream
"""

import ctypes
import io
import json
import sys
from pathlib import Path

import bpnet
import numpy as np
from bpnet._serialization import to_bytes
from forged import with_tensor


def status(key):
    """VmRSS or VmHWM in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise KeyError(key)


class Stream:
    """Reads and nothing else."""

    def __init__(self, path):
        self.file = open(path, "rb", buffering=0)

    def read(self, count):
        return self.file.read(count)


def source_of(manner, path):
    if manner == "path":
        return path
    if manner == "stream":
        return Stream(path)
    data = Path(path).read_bytes()
    return bytearray(data) if manner == "bytearray" else data


def measure(manner, path):
    """(bytes, the exception's name or None)."""
    source, outcome = source_of(manner, path), None
    ctypes.CDLL(None).malloc_trim(0)  # what is free here already must not hide what is taken
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = status("VmRSS")
    try:
        bpnet.load(source)
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    return status("VmHWM") - before, outcome


def main():
    tiny = to_bytes(bpnet.Network([2, 3, 1]))
    wrong = with_tensor(tiny, "self_test.y", np.ones((3, 1), np.float32))
    for data in (tiny, tiny[:-1], io.BytesIO(tiny), wrong):  # what is imported and allocated once is no file's fault
        try:
            bpnet.load(data)
        except bpnet.ModelFileError:
            pass
    manner, *paths = sys.argv[1:]
    for path in paths:
        print(json.dumps(measure(manner, path)))


if __name__ == "__main__":
    main()
