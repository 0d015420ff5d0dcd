"""fork in the middle of everything: the child finds a usable network and ends, the parent notices nothing."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COMMON = """
import multiprocessing, os, signal, sys, threading, time, numpy as np, bpnet
def make():
    return bpnet.Network([6, 200, 3], "tanh", "identity", seed=0)
x = np.linspace(-1, 1, 12000, dtype=np.float32).reshape(2000, 6)
y = x[:, :3]
def work():
    "Everything, on a network of one's own, with threads; its bits."
    net = make()
    history = net.fit(x, y, epochs=2, batch_size=500, threads=3)
    g = net.gradient(x, y, wrt=("x", "parameters"), threads=3)
    return net.parameters.tobytes(), net.predict(x, threads=3).tobytes(), g.flat.tobytes(), g.x.tobytes(), history.cost
def fork(child_does):
    "The exit status of a child that does this and leaves without any of Python's farewells."
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # the end of one that hangs
        status = 1
        try:
            status = 0 if child_does() else 3
        except BaseException:
            import traceback
            traceback.print_exc()
        os._exit(status)
    return child
def statuses(children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
expected = work()
net = make()
"""


def run(script, timeout=100):
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", COMMON + script],
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("threads", [1, 3])
def test_while_another_thread_trains_the_network(threads):
    """In the child that training has ended where it was: numbers between two steps, but a network like any other."""
    run(f"""
def child():
    assert np.isfinite(net.parameters).all() and np.isfinite(net.predict(x, threads=3)).all()
    copy = net.copy()
    net.fit(x, y, epochs=1, batch_size=500, threads=3)
    copy.fit(x, y, epochs=1, batch_size=500, threads=3)
    return (net.parameters == copy.parameters).all() and work() == expected
fitting = threading.Thread(target=net.fit, args=(x, y), kwargs=dict(epochs=300, batch_size=100, threads={threads}))
fitting.start()
children = []
while fitting.is_alive() and len(children) < 12:
    children.append(fork(child))
    time.sleep(0.01)
assert len(children) > 3
fitting.join()
assert statuses(children) == [0] * len(children)
twin = make()
twin.fit(x, y, epochs=300, batch_size=100)
assert (net.parameters == twin.parameters).all()
""")


def test_in_a_callback_both_go_on_with_the_fit():
    run("""
children, mine = [], os.getpid()
def callback(trainer, epoch, history):
    if epoch == 1 and os.getpid() == mine:
        child = os.fork()
        if child:
            children.append(child)
        else:
            signal.alarm(60)
try:
    net.fit(x, y, epochs=4, batch_size=100, threads=3, callback=callback)
    twin = make()
    twin.fit(x, y, epochs=4, batch_size=100)
    same = (net.parameters == twin.parameters).all() and work() == expected
finally:
    if os.getpid() != mine:
        os._exit(0 if same else 3)
assert same and statuses(children) == [0]
""")


def test_in_a_cost_and_in_a_generator_that_is_read_ahead():
    run("""
children, calls = [], 0
def cost(a, y):
    global calls
    calls += 1
    if calls in (3, 30):
        children.append(fork(lambda: work() == expected))
    time.sleep(0.001)
    return ((a - y) ** 2).sum(1) / 2, a - y
def batches():
    for i in range(0, 2000, 50):
        time.sleep(0.001)
        if i in (0, 1000):
            children.append(fork(lambda: work() == expected and np.isfinite(make().predict(x)).all()))
        yield x[i:i + 50], y[i:i + 50]
bpnet.Trainer(net, cost=cost).fit_batches(batches())
twin = make()
bpnet.Trainer(twin).fit(x, y, epochs=1, batch_size=50, shuffle=False)
assert np.allclose(net.parameters, twin.parameters, atol=1e-6)
assert len(children) == 4 and statuses(children) == [0] * 4
""")


@pytest.mark.parametrize("call", ["predict(x, threads=3)", "gradient(x, y, threads=3)", "forward(x, threads=3)"])
def test_while_other_threads_are_within_a_call(call):
    """The network is being read; in the child nobody reads it, so that it may be trained."""
    run(f"""
over = threading.Event()
def read():
    while not over.is_set():
        net.{call}
readers = [threading.Thread(target=read) for _ in range(3)]
for reader in readers:
    reader.start()
def child():
    net.fit(x, y, epochs=2, batch_size=500, threads=3)
    return net.parameters.tobytes() == expected[0] and work() == expected
children = []
for _ in range(8):
    children.append(fork(child))
    time.sleep(0.005)
over.set()
for reader in readers:
    reader.join()
assert statuses(children) == [0] * 8
assert work() == expected
""")


def test_a_child_of_a_child():
    run("""
def child():
    before = work() == expected
    return before and statuses([fork(lambda: work() == expected)]) == [0] and work() == expected
assert statuses([fork(child), fork(child)]) == [0, 0]
assert work() == expected
""")


def test_the_child_may_be_interrupted():
    """Its only thread is its main thread, whoever that was in the parent."""
    run("""
def child():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        net.fit(x, y, epochs=10**9, threads=2)
    except KeyboardInterrupt:
        timer.join()
        return np.isfinite(net.parameters).all()
children = [fork(child)]
forker = threading.Thread(target=lambda: children.append(fork(child)))
forker.start()
forker.join()
assert statuses(children) == [0, 0]
""")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_process_of_multiprocessing_during_a_fit(method, tmp_path):
    """Started from a callback, while the fit holds the network; it is handed a copy and predicts."""
    script = tmp_path / "main.py"
    script.write_text(
        COMMON
        + f"""
def child(net, queue):
    queue.put(net.predict(x, threads=2).sum())
def main():
    context = multiprocessing.get_context("{method}")
    queue = context.SimpleQueue()
    seen = []
    def callback(trainer, epoch, history):
        process = context.Process(target=child, args=(net.copy(), queue))
        process.start()
        seen.append(queue.get())
        process.join(60)
        assert process.exitcode == 0
        assert seen[-1] == net.predict(x).sum()
    net.fit(x, y, epochs=2, batch_size=500, threads=2, callback=callback)
    assert len(seen) == 2
if __name__ == "__main__":
    main()
"""
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
