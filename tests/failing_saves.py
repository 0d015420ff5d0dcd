"""Run as a program with failing_calls.so preloaded: saves again and again, each time with another call failing.

python failing_saves.py LIBRARY TARGET SCENARIO        prints what came of each, as one JSON list
"""

import ctypes
import errno
import json
import os
import sys
from pathlib import Path

import bpnet
from bpnet._serialization import to_bytes

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EINTR": errno.EINTR, "short": 0}


def scenario(name, target, old):
    """What is there before each save."""
    target.unlink(missing_ok=True)
    if name != "new":
        target.write_bytes(old)
        target.chmod(0o640)
        if name == "another owner":
            os.chown(target, 12345, 23456)


def main():
    library, target, name = ctypes.CDLL(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    library.failing_seen.restype = ctypes.c_char_p
    nets = [bpnet.Network([400, 1000, 3], seed=seed) for seed in range(2)]  # two blocks and some
    old, new = map(to_bytes, nets)
    found = []
    for error, number in ERRORS.items():
        n, fired = 0, True
        while fired:
            n += 1
            scenario(name, target, old)
            outcome = "saved"
            library.failing_arm(n, number)
            try:
                nets[1].save(target)
            except OSError as caught:
                outcome = errno.errorcode[caught.errno] + " " * (caught.filename != str(target))
            except BaseException as caught:
                outcome = repr(caught)
            fired = bool(library.failing_disarm())
            calls = library.failing_seen().decode().split("\n")
            stands = target.read_bytes() if target.exists() else None
            found.append(
                {
                    "error": error,
                    "call": calls[n - 1] if fired else None,
                    "outcome": outcome,
                    "stands": {old: "old", new: "new", None: "nothing"}.get(stands, "damaged"),
                    "mode": stands and target.stat().st_mode & 0o7777,
                    "owner": stands and [target.stat().st_uid, target.stat().st_gid],
                    "litter": [path.name for path in target.parent.iterdir() if path != target],
                    "calls": calls[:-1],
                }
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
