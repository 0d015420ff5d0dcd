"""What bpnet does to the process it lives in, and what that process's environment tells bpnet."""

import os
import subprocess
import sys

import bpnet
import pytest


def run(script, **environment):
    kept = {k: v for k, v in os.environ.items() if k not in ("BPNET_ISA", "BPNET_NUM_THREADS", "OMP_NUM_THREADS")}
    return subprocess.run(
        [sys.executable, "-c", script], env=kept | environment, capture_output=True, text=True, timeout=60
    )


def answer(script, **environment):
    done = run(script, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


BITS = """
import hashlib, numpy as np, bpnet
net = bpnet.Network([5, 33, 70, 3], ["silu", "gelu"], "softmax", seed=1, dtype="{dtype}", init="normal")
x = np.linspace(-3, 3, 500).reshape(100, 5)
net.fit(x, np.arange(100) % 3, cost="cross_entropy", epochs=2, seed=1)
g = net.gradient(x, np.arange(100) % 3, cost="cross_entropy", wrt=("x", "parameters"))
print(hashlib.sha256(b"".join(a.tobytes() for a in (net.parameters, g.flat, g.x, net.predict(x)))).hexdigest())
print(bpnet.get_config()["isa"])
"""


@pytest.mark.parametrize("isa", bpnet.get_config()["isa_available"])
def test_a_level_can_be_forced(isa):
    assert answer("import bpnet; print(bpnet.get_config()['isa'])", BPNET_ISA=isa) == isa
    assert isa in answer("import bpnet; bpnet.show_config()", BPNET_ISA=isa)


@pytest.mark.parametrize("isa", ["v9", "AVX", " "])
def test_an_unknown_level_is_an_error(isa):
    done = run("import bpnet; bpnet.Network([1, 1]).predict([1.0])", BPNET_ISA=isa)
    assert done.returncode != 0
    assert "BPNET_ISA" in done.stderr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_processes_give_the_same_bits(dtype):
    first = answer(BITS.format(dtype=dtype), BPNET_NUM_THREADS="1")
    assert first == answer(BITS.format(dtype=dtype), BPNET_NUM_THREADS="3")


THREADS = "import bpnet; print(bpnet.get_config()['threads'])"


def test_threads_are_at_most_what_the_environment_says():
    most = int(answer(THREADS))
    assert 1 <= most <= len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert answer(THREADS, BPNET_NUM_THREADS="1") == "1"
    assert answer(THREADS, OMP_NUM_THREADS="1") == "1"
    assert answer(THREADS, BPNET_NUM_THREADS="1", OMP_NUM_THREADS="64") == "1"
    assert (
        int(answer(THREADS, BPNET_NUM_THREADS="64", OMP_NUM_THREADS="1")) == most
    )  # ours before OpenMP's, never more than there are
    assert answer("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n" + THREADS) == "1"


def test_import_is_light_and_leaves_signals_warnings_and_floating_point_alone():
    answer("""
import signal, sys, threading
before = [signal.getsignal(s) for s in signal.valid_signals()]
threads = threading.active_count()
import bpnet
import numpy as np
heavy = {"scipy", "sklearn", "matplotlib", "tqdm", "rich", "typer", "polars", "safetensors", "torch", "keras", "onnx"}
later = {"bpnet.interop", "bpnet.onnx"}
assert not (heavy | later) & set(sys.modules), (heavy | later) & set(sys.modules)
net = bpnet.Network([4, 300, 2], seed=0)
x = np.full((1000, 4), 0.5)
net.predict(x, threads=2)
net.fit(x, x[:, :2], epochs=1, threads=2)
try:
    net.fit(x, x[:, :2], epochs=1, cost=lambda a, y: 1 / 0)
except ZeroDivisionError:
    failed = True
assert failed
assert [signal.getsignal(s) for s in signal.valid_signals()] == before
for dtype in (np.float32, np.float64):  # subnormal numbers still exist
    tiny = np.array([np.finfo(dtype).tiny])
    assert (tiny / 2 > 0).all() and (tiny / 2 * 2 == tiny).all()
assert threading.active_count() == threads
""")


def test_python_has_subnormal_numbers_during_training_too():
    """A cost, a callback, a signal handler, and threads that are started there."""
    answer("""
import signal, threading
from concurrent.futures import ThreadPoolExecutor
import bpnet
import numpy as np
tiny, found = 1e-310, {}
pools = []
def look(where):
    found[where] = tiny * 1.0 == tiny
    if not pools:
        pools.append(ThreadPoolExecutor(1))
    found["pool in " + where] = pools[0].submit(lambda: tiny * 1.0 == tiny).result()
def cost(a, y):
    look("cost")
    signal.raise_signal(signal.SIGUSR1)
    return ((a - y) ** 2).sum(1) / 2, a - y
signal.signal(signal.SIGUSR1, lambda *_: look("handler"))
x = np.full((2000, 4), 0.5)
net = bpnet.Network([4, 30, 2], seed=0)
net.fit(x, x[:, :2], epochs=1, cost=cost)
net.fit(x, x[:, :2], epochs=1, callback=lambda *_: look("callback"))
signal.signal(signal.SIGALRM, lambda *_: look("handler in the middle"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
while "handler in the middle" not in found:
    net.fit(x, x[:, :2], epochs=5)
assert len(found) == 8 and all(found.values()), found
""")


def test_nothing_is_printed():
    done = run("""
import bpnet, numpy as np
net = bpnet.Network([4, 3, 2], seed=0)
net.fit(np.ones((9, 4)), np.ones((9, 2)), epochs=2)
repr(net), net.summary(), net.predict(np.ones(4))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cmake_dir_is_told_without_extras():
    done = subprocess.run([sys.executable, "-m", "bpnet", "--cmakedir"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert os.path.isfile(os.path.join(done.stdout.strip(), "bpnetConfig.cmake"))
    assert done.stdout.strip() == bpnet.get_cmake_dir()


WORK = {
    "predict": "net.predict(x, threads=1)",
    "predict, threads": "net.predict(x, threads=2)",
    "callback": "net.fit(x, y, epochs=2, callback=lambda *_: False)",
    "sleeping callback": "net.fit(x[:9], y[:9], epochs=2, callback=lambda *_: time.sleep(0.01))",
    "custom cost": "net.gradient(x, y, cost=lambda a, y: (((a - y) ** 2).sum(axis=1) / 2, a - y))",
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_the_process_ends_while_a_daemon_thread_computes(work):
    done = run(f"""
import threading, time, bpnet, numpy as np
net = bpnet.Network([30, 200, 200, 2], seed=0)
x, y = np.zeros((2000, 30), "f4"), np.zeros((2000, 2), "f4")
def forever():
    while True:
        {work}
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.3)
print("end")
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
