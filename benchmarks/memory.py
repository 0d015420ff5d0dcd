"""`python -m benchmarks.memory`: how much memory training on a memory-mapped array takes beyond the map itself.

Two files, x (rows, 4) and y (rows,) in float32, are written, mapped and trained on in shuffled order. What counts is
RssAnon of /proc/self/status, looked at every few milliseconds: pages that are the process's own. Pages of a mapped file
are the kernel's to take back. The exit status says whether the limit held.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpnet
import numpy as np

MIB = 1 << 20
CHUNK = 1 << 16  # rows written at a time


def resident(kind: str = "RssAnon") -> int:
    """Bytes of this process in memory: RssAnon, RssFile, ..."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind + ":"):
            return 1024 * int(line.split()[1])
    raise OSError(f"/proc/self/status does not tell {kind}")


class Watch:
    """The most that RssAnon rose above where it was."""

    def __init__(self) -> None:
        self.start = self.most = resident()

    def look(self) -> None:
        self.most = max(self.most, resident())

    @property
    def added(self) -> int:
        return self.most - self.start


@contextmanager
def watched(interval: float = 0.005) -> Iterator[Watch]:
    """Looks every so many seconds, from a thread of its own, and once at the end."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(interval):
            watch.look()

    thread = threading.Thread(target=look)
    watch = Watch()
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
        watch.look()


def write(folder: Path, rows: int) -> None:
    """x and y = sin(x_0) x_1 + x_2 / 2, chunk by chunk."""
    rng = np.random.default_rng(0)
    with open(folder / "x", "wb") as x_file, open(folder / "y", "wb") as y_file:
        for begin in range(0, rows, CHUNK):
            x = rng.standard_normal((min(CHUNK, rows - begin), 4), dtype=np.float32)
            x_file.write(x.tobytes())
            y_file.write((np.sin(x[:, 0]) * x[:, 1] + x[:, 2] / 2).tobytes())


def train(folder: Path, rows: int, threads: int | None) -> tuple[Watch, bpnet.History]:
    with watched() as watch:
        x = np.memmap(folder / "x", np.float32, "r", shape=(rows, 4))
        y = np.memmap(folder / "y", np.float32, "r", shape=(rows,))
        net = bpnet.Network([4, 16, 1], activation="tanh", output_activation="identity", seed=0)
        history = net.fit(x, y, epochs=1, batch_size=256, shuffle=True, validation=0.01, threads=threads)
    return watch, history


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--limit", type=float, default=32, help="MiB of RssAnon that the training may add (default 32)")
    parser.add_argument("--threads", type=int, help="default: all")
    parser.add_argument("--folder", help="where the files go for a while (default: the system's temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        start = time.perf_counter()
        write(folder, options.rows)
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"wrote {options.rows:,} rows, {size / MIB:.1f} MiB, in {time.perf_counter() - start:.1f} s", flush=True)
        watch, history = train(folder, options.rows, options.threads)
    print(f"one shuffled epoch, {history.steps:,} steps of 256 rows, in {history.seconds:.1f} s")
    print(f"RssAnon before: {watch.start / MIB:.1f} MiB; at most {watch.added / MIB:.1f} MiB were added")
    held = watch.added <= options.limit * MIB
    print(f"limit of {options.limit:g} MiB: {'held' if held else 'EXCEEDED'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
