"""SIGINT to a process in the middle of every call: it comes out at once, and the network is as the table says."""

import os
import signal
import subprocess
import sys

import pytest
from interrupted import HEAD, PROMPT, delay

COMMON = """
def make():
    return bpnet.Network({sizes}, "tanh", "identity" if {sizes}[-1] == 1 else "softmax", seed=0)
net = make()
before = net.parameters.copy()
x = np.tile(np.linspace(-1, 1, {sizes}[0], dtype=np.float32), ({rows}, 1))
y = x[:, 0]
def same(a, b):
    return bool((a.parameters == b.parameters).all())
"""
UNTOUCHED = "assert (net.parameters == before).all() and net.input_shift is None"
WIDE, NARROW = ([16, 1024, 1024, 1], 200_000), ([4, 1], 20_000_000)

SMALL = [1, 1], 1
CALLS = {  # sizes and rows, a call of many seconds, what holds afterwards
    "forward": (WIDE, "net.forward(x[:60_000], threads=1)", UNTOUCHED),
    "predict into an array": (
        WIDE,
        "out = np.zeros((len(x), 1), np.float32); net.predict(x, out, threads=1)",
        f"{UNTOUCHED}; assert out[0] and not out[-1]",
    ),
    "all gradients": (WIDE, "net.gradient(x[:20_000], y[:20_000], wrt=('x', 'parameters', 'layers'))", UNTOUCHED),
    "a cost of one's own": (
        WIDE,
        "net.gradient(x, y, cost=lambda a, y: ((a - y).sum(1) ** 2, 2 * (a - y)))",
        UNTOUCHED,
    ),
    "normalize": (NARROW, "[net.normalize(np.broadcast_to(x, x.shape), y) for _ in range(99)]", ""),
    "the look at a fit's data": (
        NARROW,
        "[net.fit(x, y, sample_weight=y * y, epochs=0) for _ in range(999)]",
        UNTOUCHED,
    ),
    "the look at labels": (
        ([4, 3], 20_000_000),
        "[net.fit(x, np.zeros(len(x), np.int8), cost='cross_entropy', epochs=0) for _ in range(999)]",
        UNTOUCHED,
    ),
    "orthogonal weights": (SMALL, "bpnet.Network([4000, 4000], init='orthogonal', seed=0)", ""),
    "many weights": (SMALL, "bpnet.Network([15_000, 10_000], init='he_normal', seed=0)", ""),
    "a callback": (NARROW, "net.fit(x[:9], y[:9], callback=lambda *_: time.sleep(99))", ""),
    "validation": (
        WIDE,
        "net.fit(x[:64], y[:64], epochs=2, batch_size=64, validation=(x, y), threads=1)",
        "twin = make(); twin.fit(x[:64], y[:64], epochs=1, batch_size=64); assert same(net, twin)",
    ),
}


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("row", CALLS)
def test_one_signal(row):
    (sizes, rows), call, after = CALLS[row]
    took = delay(COMMON.format(sizes=sizes, rows=rows), call, after)
    print(f"{row}: {1000 * took:.0f} ms")
    assert took < PROMPT


STORM = """
trainer = None
rows = []
def replay(kind):
    twin = make()
    other = bpnet.Trainer(twin, threads=1)
    for i in range(trainer.steps):
        rows = slice(32 * (i % 40), 32 * (i % 40) + 32)
        other.step(x[rows], y[rows])
    assert same(net, twin), (kind, trainer.steps)
def fresh():
    global net, trainer
    net = make()
    trainer = bpnet.Trainer(net, threads={threads})
def steps():
    for i in range(10**6):
        rows = slice(32 * (i % 40), 32 * (i % 40) + 32)
        trainer.step(x[rows], y[rows])
calls = {{
    "predict": lambda: [net.predict(x, threads={threads}) for _ in range(10**6)],
    "predict one": lambda: [net.predict(x[0]) for _ in range(10**6)],
    "forward": lambda: [net.forward(x, threads={threads}) for _ in range(10**6)],
    "cost": lambda: [net.cost(x, y, threads={threads}) for _ in range(10**6)],
    "gradient": lambda: [net.gradient(x, y, threads={threads}) for _ in range(10**6)],
    "fit": lambda: trainer.fit(x, y, epochs=10**6, shuffle=False),
    "fit, a bar": lambda: trainer.fit(x, y, epochs=10**6, shuffle=False, callback=lambda *_: None),
    "step": steps,
    "fit_batches": lambda: trainer.fit_batches([(x[i:i + 32], y[i:i + 32]) for i in range(0, 1280, 32)], epochs=10**6),
}}
slowest = 0.0
random.seed(0)
for kind, call in list(calls.items()) * {rounds}:
    fresh()
    sent = None
    def send():
        global sent
        time.sleep(random.uniform(0.001, 0.03))
        sent = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
    sender = threading.Thread(target=send)
    try:
        sender.start()
        call()
    except KeyboardInterrupt:
        slowest = max(slowest, time.monotonic() - sent)
    else:
        raise AssertionError(kind)
    sender.join()
    replay(kind)
    want = make().predict(x[:99]).tobytes()
    assert trainer.steps or net.predict(x[:99], threads={threads}).tobytes() == want
    assert threading.active_count() == 1
print(slowest)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("threads", [1, 3])
def test_many_signals_at_random(threads):
    """However far a call has come: the parameters are those after a whole number of steps, and the next call works."""
    script = HEAD + COMMON.format(sizes=[16, 64, 64, 1], rows=1280) + STORM.format(threads=threads, rounds=5)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    print(f"slowest of 45: {1000 * float(done.stdout):.0f} ms")
    assert float(done.stdout) < PROMPT


HANDLERS = """
calls = []
def handler(number, frame):
    calls.append(net.predict(x[:3]).tobytes())  # a handler may look at the network, even while it is being trained
    {act}
signal.signal(signal.SIGUSR1, handler)
trainer = bpnet.Trainer(net, threads={threads})
timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
timer.start()
try:
    trainer.fit(x, y, epochs=1, batch_size=500, shuffle=False)
except LookupError:
    assert "raise" in {act!r}
    assert 0 < trainer.steps < 400
else:
    assert "raise" not in {act!r}
    assert trainer.steps == 400
timer.join()
assert len(calls) == 1
twin = make()
other = bpnet.Trainer(twin)
for i in range(trainer.steps):
    other.step(x[500 * i:500 * i + 500], y[500 * i:500 * i + 500])
assert same(net, twin)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="sends SIGUSR1")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("act", ["pass", "raise LookupError"])
def test_handlers_of_other_signals(act, threads):
    """What they raise ends the call; where they raise nothing it goes on as if nothing had been."""
    script = HEAD + COMMON.format(sizes=[16, 256, 256, 1], rows=200_000) + HANDLERS.format(act=act, threads=threads)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


ELSEWHERE = """
over = threading.Event()
def fit():
    net.fit(x, y, epochs=1, batch_size=500, threads=2)
    over.set()
worker = threading.Thread(target=fit)
worker.start()
timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
timer.start()
try:
    over.wait()
except KeyboardInterrupt:
    assert not over.is_set()
else:
    raise AssertionError("the main thread was not interrupted")
over.wait()
twin = make()
twin.fit(x, y, epochs=1, batch_size=500)
assert same(net, twin)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_a_fit_in_another_thread_is_not_interrupted():
    script = HEAD + COMMON.format(sizes=[16, 256, 256, 1], rows=200_000) + ELSEWHERE
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
