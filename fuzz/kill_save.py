"""Kills a process in the middle of a save, again and again: the old file stands afterwards, or the new one, whole.

    python fuzz/kill_save.py [TIMES]        1000 times where nothing is said; exits with 1 where a file is damaged

SIGKILL leaves no time to clean up, so a temporary file may stay; how many did says how many kills hit a save that was
writing. What the operating system has taken, it keeps: this is about dying processes, not about loss of power.
"""

import collections
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import bpnet
from bpnet._serialization import to_bytes

SIZES = [500, 1000, 500]  # 4 MB: four blocks


def save_in_a_child(net, path, delay=None):
    """Seconds from the start of the save until the child is gone, which is killed after `delay`."""
    ready, start = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(start, b"!")
        net.save(path)
        os._exit(0)
    os.read(ready, 1)
    begin = time.perf_counter()
    if delay is not None:
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    os.close(start)
    return time.perf_counter() - begin


def main(times):
    nets = [bpnet.Network(SIZES, seed=seed) for seed in range(2)]
    contents = dict(zip(map(to_bytes, nets), ("old", "new"), strict=True))
    random.seed(0)
    found = collections.Counter()
    with tempfile.TemporaryDirectory(dir=os.environ.get("KILL_SAVE_FOLDER")) as name:
        path = Path(name, "net")
        usual = statistics.median(save_in_a_child(nets[1], path) for _ in range(20))
        for _ in range(times):
            nets[0].save(path)
            save_in_a_child(nets[1], path, random.uniform(0, 1.1 * usual))
            found[contents.get(path.read_bytes(), "damaged")] += 1
            bpnet.load(path)
            for litter in set(Path(name).iterdir()) - {path}:
                found["killed while writing"] += 1
                litter.unlink()
    print(f"{times} saves of {1000 * usual:.1f} ms killed: the old file stood {found['old']} times, the new one")
    print(f"{found['new']} times, a damaged one {found['damaged']} times; {found['killed while writing']} were writing")
    return found["damaged"] or found["old"] + found["new"] != times


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)))
