"""Calls side by side: concurrent reading is fine, reading beside a fit is refused, the pool survives a fork."""

import os
import subprocess
import sys
import threading

import bpnet
import numpy as np
import pytest
from nets import bits, gradient_bits, random_net

EVERYTHING = ("parameters", "x", "layers")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(500, 6)), rng.normal(size=(500, 3))


def in_threads(n, work):
    """Runs work(i) in n threads that start together, and raises what they raised."""
    start, errors = threading.Barrier(n), []

    def run(i):
        try:
            start.wait(30)
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for error in errors:
        raise error


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_and_gradient_side_by_side(dtype, threads, data):
    x, y = data
    net = random_net([6, 40, 30, 3], dtype=dtype)
    prediction, gradient = bits(net.predict(x)), gradient_bits(net.gradient(x, y, wrt=EVERYTHING))
    alone = bits(net.predict(x[7]))

    def work(i):
        for _ in range(20):
            if i % 2:
                assert bits(net.predict(x, threads=threads)) == prediction
                assert bits(net.predict(x[7])) == alone
            else:
                assert gradient_bits(net.gradient(x, y, wrt=EVERYTHING, threads=threads)) == gradient

    in_threads(6, work)


def test_fits_of_different_networks_side_by_side(data):
    want = random_net([6, 20, 3])
    want.fit(*data, epochs=4, seed=0)
    nets = [random_net([6, 20, 3]) for _ in range(4)]
    in_threads(4, lambda i: nets[i].fit(*data, epochs=4, seed=0, threads=1 + i % 2))
    assert {bits(net.parameters) for net in nets} == {bits(want.parameters)}


REFUSED = {
    "fit": lambda net, x, y: net.fit(x, y, epochs=1),
    "step": lambda net, x, y: bpnet.Trainer(net, cost="quadratic", optimizer="adam").step(x, y),
    "apply": lambda net, x, y: bpnet.Trainer(net, cost="quadratic", optimizer="adam").apply(np.zeros(net.n_parameters)),
    "predict": lambda net, x, y: net.predict(x),
    "predict one": lambda net, x, y: net.predict(x[0]),
    "forward": lambda net, x, y: net.forward(x),
    "cost": lambda net, x, y: net.cost(x, y),
    "gradient": lambda net, x, y: net.gradient(x, y),
    "normalize": lambda net, x, y: net.normalize(x),
    "copy": lambda net, x, y: net.copy(),
    "astype": lambda net, x, y: net.astype("float64"),
}


@pytest.mark.parametrize("call", REFUSED)
def test_from_another_thread_while_a_fit_runs(call, data):
    """The fit waits in its callback until the main thread has tried."""
    net, twin = random_net([6, 20, 3]), random_net([6, 20, 3])
    running, tried = threading.Event(), threading.Event()

    def callback(trainer, epoch, history):
        running.set()
        tried.wait(30)

    fit = threading.Thread(target=lambda: net.fit(*data, epochs=2, seed=0, callback=callback))
    fit.start()
    try:
        assert running.wait(30)
        with pytest.raises(RuntimeError, match="fit"):
            REFUSED[call](net, *data)
    finally:
        tried.set()
        fit.join(60)
    twin.fit(*data, epochs=2, seed=0)
    assert bits(net.parameters) == bits(twin.parameters)
    REFUSED[call](net, *data)  # and afterwards it is welcome


def test_the_callback_of_a_fit_may_read_but_not_train(data):
    x, y = data
    net = random_net([6, 20, 3])
    seen = []

    def callback(trainer, epoch, history):
        seen.append((net.predict(x).sum(), net.predict(x[0]).sum(), net.cost(x, y), net.gradient(x, y, threads=2).cost))
        with pytest.raises(RuntimeError):
            net.fit(x, y, epochs=1)
        with pytest.raises(RuntimeError):
            trainer.step(x, y)

    net.fit(x, y, epochs=2, callback=callback)
    assert len(seen) == 2
    assert seen[1][2] == net.cost(x, y)


def test_a_fit_refused_leaves_the_network_alone(data):
    """After a fit that failed, the next one is welcome."""
    net = random_net([6, 20, 3])
    with pytest.raises(ValueError, match="x"):
        net.fit(data[0][:, :5], data[1])
    net.fit(*data, epochs=1)


def test_more_threads_than_cores_and_than_rows(data):
    x, y = data
    net = random_net([6, 20, 3])
    assert bits(net.predict(x, threads=64)) == bits(net.predict(x, threads=1))
    assert bits(net.gradient(x[:2], y[:2], threads=64).flat) == bits(net.gradient(x[:2], y[:2], threads=1).flat)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork():
    """The child has no threads of its parent's; the pool starts anew."""
    script = """
import os, sys, numpy as np, bpnet
net = bpnet.Network([6, 200, 3], "tanh", "identity", seed=0)
x = np.linspace(-1, 1, 12000, dtype=np.float32).reshape(2000, 6)
everything = lambda: (net.predict(x, threads=3).tobytes(), net.gradient(x, x[:, :3], threads=3).flat.tobytes())
want = everything()
child = os.fork()
if child == 0:
    ok = everything() == want
    net.fit(x, x[:, :3], epochs=1, threads=3)
    os._exit(0 if ok else 3)
_, status = os.waitpid(child, 0)
assert everything() == want
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_the_interpreter_ends_while_the_pool_sleeps_and_a_fit_runs():
    script = """
import threading, time, numpy as np, bpnet
net = bpnet.Network([6, 200, 3], seed=0)
x = np.zeros((20000, 6), np.float32)
threading.Thread(target=net.fit, args=(x, x[:, :3]), kwargs={"epochs": 3, "threads": 3}).start()
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=120).returncode == 0
