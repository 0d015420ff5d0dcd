"""Training from a file that is larger than the memory this program allows itself.

    python examples/larger_than_memory.py [--rows N] [--limit MIB] [--folder DIR]

The kernel is told to give this process no more than so many MiB from now on (RLIMIT_DATA): whoever asks for more meets
a MemoryError, as the first attempt below does. RLIMIT_DATA counts what belongs to the process alone, its heap and its
stacks. A mapped file does not count: its pages are a cache of the disk, which the kernel takes back when it needs room.
(RLIMIT_AS would count the whole map although little of it is in memory, and Linux ignores RLIMIT_RSS.)

The file is then trained on twice: mapped, its rows in a new random order every epoch; and read block by block into one
buffer that is used again and again, in the order of the file; where the disk is slow, a thread reads ahead. Linux only.
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import bpnet
import numpy as np

COLUMNS = 5  # four inputs and the target, float32
BLOCK = 1 << 14  # rows read or written at a time
MIB = 1 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the table (default 10 million, 191 MiB)")
    parser.add_argument("--limit", type=int, default=64, metavar="MIB", help="memory it may add (default 64 MiB)")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--folder", help="where the table goes for a while (default: the system's temporary folder)")
    options = parser.parse_args()
    if options.rows * COLUMNS * 4 <= options.limit * MIB:
        sys.exit(f"--rows {options.rows} make a table that fits into {options.limit} MiB; take more")

    limit_memory(options.limit * MIB)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / "table.f32"
        write_table(path, options.rows)
        print(f"{path.stat().st_size / MIB:.0f} MiB of data, {options.limit} MiB of memory")
        try:
            np.fromfile(path, np.float32)
        except MemoryError:
            print("np.fromfile: MemoryError")

        table = np.memmap(path, np.float32, "r", shape=(options.rows, COLUMNS))
        cut = options.rows * 9 // 10  # the rest is for the test
        report("mapped", train_mapped(table[:cut], options.epochs), table[cut:])
        report("streamed", train_streamed(path, cut, options.epochs), table[cut:])


def limit_memory(extra):
    """From now on this process may add so many bytes of its own."""
    used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used * 1024 + extra, hard))


def new_network():
    return bpnet.Network([4, 32, 1], activation="tanh", output_activation="identity", seed=0)


def train_mapped(table, epochs):
    """Slices of the map are used as they lie: four columns of five, any rows in any order."""
    net = new_network()
    net.normalize(x=table[:, :4])
    net.fit(table[:, :4], table[:, 4], epochs=epochs, batch_size=256, optimizer=bpnet.Adam(learning_rate=0.003))
    return net


class Blocks:
    """The first rows of a table file as minibatches, begun anew each time. All share one buffer."""

    def __init__(self, path, rows, batch_size=256):
        self.path, self.rows, self.batch_size = path, rows, batch_size

    def __iter__(self):
        block = np.empty((BLOCK, COLUMNS), np.float32)
        with open(self.path, "rb", buffering=0) as file:
            for begin in range(0, self.rows, BLOCK):
                n = min(file.readinto(block) // block[0].nbytes, self.rows - begin)
                for row in range(0, n, self.batch_size):
                    batch = block[row : min(row + self.batch_size, n)]
                    yield batch[:, :4], batch[:, 4]


def train_streamed(path, rows, epochs):
    net = new_network()
    trainer = bpnet.Trainer(net, optimizer=bpnet.Adam(learning_rate=0.003))
    trainer.fit_batches(Blocks(path, rows), epochs=epochs)
    return net


def report(name, net, test):
    rms = (2 * net.cost(test[:, :4], test[:, 4])) ** 0.5  # C = 1/2 (a - y)^2
    print(f"{name + ':':10} root mean square error {rms:.3f} on {len(test):,} rows; RssAnon {resident():.0f} MiB")


def resident():
    """MiB of memory that are this process's own at the moment."""
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon:")) / 1024


def write_table(path, rows):
    """y = sin(x_0) x_1 + x_2 x_3 / 2 and noise of 0.1, for standard normal x."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        for begin in range(0, rows, BLOCK):
            block = rng.standard_normal((min(BLOCK, rows - begin), COLUMNS), dtype=np.float32)
            x, noise = block[:, :4].T, block[:, 4]
            block[:, 4] = np.sin(x[0]) * x[1] + x[2] * x[3] / 2 + 0.1 * noise
            file.write(block)


if __name__ == "__main__":
    main()
