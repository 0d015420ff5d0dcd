"""Among other people's threads and processes: pools that fork, spawn or share, with the library in use all around."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import bpnet
import numpy as np
import pytest
from nets import bits, gradient_bits, random_net

# A program with a network large enough that two threads do take part, and one task that uses all of it.
PROGRAM = """
import os, signal, sys, threading
import numpy as np, bpnet

x = np.linspace(-1, 1, 12000, dtype=np.float32).reshape(2000, 6)

def work(net, seed):
    prediction = net.predict(x, threads=2).tobytes()
    gradient = net.gradient(x, x[:, :3], wrt=("parameters", "x"), threads=2)
    net.fit(x, x[:, :3], epochs=1, batch_size=500, seed=seed, threads=2)
    return prediction, gradient.flat.tobytes(), gradient.x.tobytes(), net.parameters.tobytes()

if __name__ == "__main__":
    net = bpnet.Network([6, 200, 3], "tanh", "identity", seed=0)
    expected = [work(net.copy(), seed) for seed in range(4)]  # and the pool of this process is awake
"""


def run(tmp_path, main):
    """Runs PROGRAM with this at the end of its main part."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + "".join(f"    {line}\n" for line in main.strip().splitlines()) + "\n")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_of_processes(method, tmp_path):
    main = f"""
import multiprocessing
if "{method}" in multiprocessing.get_all_start_methods():
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        found = pool.starmap(work, [(net, seed) for seed in range(4)])
    assert found == expected
    assert [work(net.copy(), seed) for seed in range(4)] == expected  # the parent's own threads are as before
"""
    run(tmp_path, main)


def test_workers_of_joblib(tmp_path):
    pytest.importorskip("joblib")
    main = """
from joblib import Parallel, delayed
found = Parallel(n_jobs=2, backend="loky")(delayed(work)(net, seed) for seed in range(4))
assert found == expected
"""
    run(tmp_path, main)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_other_threads_compute(tmp_path):
    """The child inherits a pool in the middle of a job, and a network that others were reading."""
    main = """
over = threading.Event()
def read():
    while not over.is_set():
        net.predict(x, threads=2)
        net.gradient(x, x[:, :3], threads=2)
readers = [threading.Thread(target=read) for _ in range(2)]
for reader in readers:
    reader.start()
statuses = []
for seed in [0, 1, 2, 3] * 3:
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # the end of one that hangs
        os._exit(0 if work(net.copy(), seed) == expected[seed] else 3)
    statuses.append(os.waitpid(child, 0)[1])
over.set()
for reader in readers:
    reader.join()
assert statuses == [0] * 12, statuses
assert work(net.copy(), 0) == expected[0]
"""
    run(tmp_path, main)


def test_a_pool_of_threads():
    """Readers share one network while others train copies of it, all of them with threads of their own."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 6)), rng.normal(size=(600, 3))
    net = random_net([6, 60, 3])
    everything = ("parameters", "x", "layers")

    def predict(_):
        return bits(net.predict(x, threads=2))

    def differentiate(_):
        return gradient_bits(net.gradient(x, y, wrt=everything, threads=2))

    def train(seed):
        copy = net.copy()
        history = copy.fit(x, y, epochs=2, seed=seed, threads=2)
        return bits(copy.parameters), history.cost

    def step(_):
        trainer = bpnet.Trainer(net.copy(), cost="huber", optimizer="adam", threads=2)
        return [trainer.step(x, y) for _ in range(3)]

    tasks = [(work, seed) for seed in range(10) for work in (predict, differentiate, train, step)]
    expected = [work(seed) for work, seed in tasks]
    with ThreadPoolExecutor(8) as pool:
        found = [future.result(60) for future in [pool.submit(work, seed) for work, seed in tasks]]
    assert found == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_not_held_up_by_the_parents_threads():
    """Another thread of the parent reads the network at the fork; in the child nobody does."""
    script = """
import os, threading, time, numpy as np, bpnet
net = bpnet.Network([16, 512, 512, 1], seed=0)
x = np.zeros((200_000, 16), np.float32)
reader = threading.Thread(target=net.predict, args=(x,), kwargs={"threads": 1})
reader.start()
time.sleep(0.05)
child = os.fork()
if child == 0:
    net.fit(x[:100], x[:100, 0], epochs=1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
reader.join()
net.fit(x[:100], x[:100, 0], epochs=1)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=100)
