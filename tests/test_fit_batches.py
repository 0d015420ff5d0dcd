"""fit_batches over what yields batches: reading ahead in a thread changes when something is read, and nothing else."""

import gc
import subprocess
import sys
import threading
import time
import traceback

import bpnet
import numpy as np
import pytest
from nets import bits, random_net

SLOW = 1e-3  # seconds: more than a handover costs, so that after two such batches the thread starts
AHEAD = [0, 1, 3]


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(240, 3)), rng.uniform(0.1, 0.9, (240, 2)), rng.uniform(size=240)


def slow_cost(a, y):
    time.sleep(SLOW)
    with np.errstate(over="ignore"):
        return ((a - y) ** 2).sum(1) / 2, a - y


def make(cost=slow_cost, **options):
    return bpnet.Trainer(random_net([3, 5, 2]), cost=cost, threads=1, **options)


def slowly(batches):
    for batch in batches:
        time.sleep(SLOW)
        yield batch


def cut(arrays, size=10):
    return [tuple(a[i : i + size] for a in arrays) for i in range(0, len(arrays[0]), size)]


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "bpnet reader"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    for thread in readers():  # which are other tests' where tests run side by side
        thread.join(10)
        assert not thread.is_alive()


class Twice:
    """A loader: begins anew each time."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return slowly(self.batches)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("prefetch", AHEAD)
def test_steps_over_the_same_batches_equal_fit(prefetch, dtype, data):
    """Bit for bit, costs included; the last batch is smaller."""
    nets = [random_net([3, 5, 2], dtype=dtype) for _ in range(2)]
    x, y, w = data
    fitted = bpnet.Trainer(nets[0], cost=slow_cost).fit(
        x, y, sample_weight=w, epochs=2, batch_size=50, shuffle=False, validation=None
    )
    history = bpnet.Trainer(nets[1], cost=slow_cost).fit_batches(Twice(cut(data, 50)), epochs=2, prefetch=prefetch)
    assert history.cost == fitted.cost
    assert history.steps == fitted.steps == 10
    assert bits(nets[1].parameters) == bits(nets[0].parameters)


def test_reading_hides_behind_computing(data):
    """Batch n + 1 is read while step n computes: each waits for the other, which a single thread could not do."""
    meeting = threading.Barrier(2, timeout=10)
    steps = 0

    def batches():
        for number, batch in enumerate(slowly(cut(data))):
            if 3 <= number < 20:  # the thread begins with number 2
                assert threading.current_thread() in readers()
                meeting.wait()
            yield batch

    def cost(a, y):
        nonlocal steps
        steps += 1
        if 3 <= steps < 20:
            meeting.wait()
        return slow_cost(a, y)

    assert make(cost).fit_batches(batches()).steps == 24


@pytest.mark.parametrize("prefetch", AHEAD)
def test_a_buffer_may_be_used_again_and_again(prefetch, data):
    """Each batch overwrites the last; a network that is fed from a list of copies ends up the same."""
    x, y, w = np.empty((10, 3)), np.empty((10, 2), "float32"), np.empty(10)

    def reused():
        for batch in slowly(cut(data)):
            for buffer, values in zip((x, y, w), batch, strict=True):
                buffer[...] = values
            yield x, y, w
            for buffer in (x, y, w):
                buffer[...] = 7  # the moment the next one is asked for

    trainers = make(), make()
    trainers[0].fit_batches([(a, b.astype("float32"), c) for a, b, c in cut(data)])
    trainers[1].fit_batches(reused(), prefetch=prefetch)
    assert bits(trainers[1].net.parameters) == bits(trainers[0].net.parameters)


@pytest.mark.parametrize("prefetch", AHEAD)
def test_a_generator_meets_the_network_as_if_it_were_alone(prefetch, data):
    """It predicts, differentiates, copies and steps with what it trains; the same for any number of batches ahead."""
    x = data[0][:10]
    seen = []

    def batches(trainer):
        net = trainer.net
        for number in range(12):
            time.sleep(SLOW)
            y = net.predict(x) / 2  # a target that depends on every step before
            seen.append((trainer.steps, bits(net.parameters), bits(net.copy().weights[1]), net.cost(x, y)))
            if number == 7:
                trainer.step(x, y)
            yield x, y

    trainer = make()
    assert trainer.fit_batches(batches(trainer), prefetch=prefetch).steps == 13
    assert [steps for steps, *_ in seen] == [*range(8), *range(9, 13)]
    mine, seen = seen, []
    other = make()
    for y in (y for _, y in batches(other)):
        other.step(x, y)
    assert seen == mine
    assert bits(trainer.net.parameters) == bits(other.net.parameters)


@pytest.mark.parametrize("prefetch", AHEAD)
def test_an_exception_of_the_iterator_comes_out_at_its_batch(prefetch, data):
    def batches():
        yield from slowly(cut(data)[:8])
        raise LookupError("the disk is gone")

    trainer = make()
    with pytest.raises(LookupError, match="the disk is gone") as caught:
        trainer.fit_batches(batches(), prefetch=prefetch)
    assert trainer.steps == 8
    assert "raise LookupError" in "".join(traceback.format_tb(caught.tb))
    other = make()
    other.fit_batches(cut(data)[:8])
    assert bits(trainer.net.parameters) == bits(other.net.parameters)


@pytest.mark.parametrize("prefetch", AHEAD)
@pytest.mark.parametrize("last", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_whatever_the_iterator_raises_comes_out(last, prefetch, data):
    def batches():
        yield from slowly(cut(data)[:5])
        raise last("enough")

    trainer = make()
    with pytest.raises(last, match="enough"):
        trainer.fit_batches(batches(), prefetch=prefetch)
    assert trainer.steps == 5


BAD = {
    "too short": (lambda x, y: (x,), TypeError, r"batches\[6\]"),
    "no tuple": (lambda x, y: x, TypeError, r"batches\[6\]"),
    "features": (lambda x, y: (x[:, :2], y), ValueError, r"batches\[6\]: x has 2 features.*takes 3"),
    "rows": (lambda x, y: (x, y[:3]), ValueError, r"batches\[6\]: y has 3 samples"),
    "text": (lambda x, y: (x.astype(str), y), TypeError, r"batches\[6\]: x has dtype <U"),
    "masked": (lambda x, y: (np.ma.array(x), y), TypeError, r"batches\[6\]: x is masked"),
    "not finite": (lambda x, y: (x * np.inf, y), ValueError, r"batches\[6\]: x has .* in row 0"),
    "weights": (lambda x, y: (x, y, -(x[:, 0] ** 2)), ValueError, r"batches\[6\]: sample_weight\[0\] is -"),
    "no samples": (lambda x, y: (x[:0], y[:0]), ValueError, r"batches\[6\]: x has 0 samples"),
}


@pytest.mark.parametrize("prefetch", AHEAD)
@pytest.mark.parametrize("row", BAD)
def test_a_bad_batch_is_named_and_closes_the_generator(row, prefetch, data):
    spoil, error, message = BAD[row]
    closed = []

    def batches():
        try:
            for number, (x, y, _) in enumerate(slowly(cut(data))):
                yield spoil(x, y) if number == 6 else (x, y)
        finally:
            closed.append(True)

    trainer = make()
    with pytest.raises(error, match=message):
        trainer.fit_batches(batches(), prefetch=prefetch)
    assert trainer.steps == 6
    assert closed


@pytest.mark.parametrize("prefetch", AHEAD)
def test_divergence_ends_the_thread_and_leaves_the_last_good_step(prefetch, data):
    closed = threading.Event()

    def batches():
        try:
            for number, (x, y, _) in enumerate(slowly(cut(data))):
                yield x, y * (1e200 if number == 9 else 1)
        finally:
            closed.set()

    trainer, other = (make(optimizer="sgd") for _ in range(2))
    with pytest.raises(bpnet.DivergenceError):
        trainer.fit_batches(batches(), prefetch=prefetch)
    assert closed.is_set()
    assert trainer.steps == 9
    other.fit_batches([(x, y) for x, y, _ in cut(data)[:9]])
    assert bits(trainer.net.parameters) == bits(other.net.parameters)


def test_a_generator_in_the_middle_of_a_prediction_is_let_go(data):
    """It waits to predict with the network until the step is done, which fails."""
    left = []

    def batches(net):
        try:
            for number, (x, y, _) in enumerate(slowly(cut(data))):
                net.predict(x)
                yield x, y * (1e200 if number == 9 else 1)
        except BaseException as error:
            left.append(type(error))
            raise

    trainer = make(optimizer="sgd")
    with pytest.raises(bpnet.DivergenceError):
        trainer.fit_batches(batches(trainer.net))
    assert left == [GeneratorExit]


def test_nothing_is_kept(data):
    """Neither by the thread's exception nor by the network."""
    import weakref

    class LostError(Exception):
        pass

    def batches(x):
        yield from slowly(cut(data)[:5])
        raise LostError

    big = np.ones((10, 3))
    gone = weakref.ref(big)
    trainer = make()
    with pytest.raises(LostError):
        trainer.fit_batches(batches(big))
    del big
    gc.collect()
    assert gone() is None


def test_no_more_is_read_ahead_than_asked_for(data):
    """At most prefetch batches wait while one is trained on."""
    most, trained, given = 0, 0, 0

    def batches():
        nonlocal most, given
        for batch in slowly(cut(data, 4)):
            given += 1
            most = max(most, given - trained)
            yield batch

    def cost(a, y):
        nonlocal trained
        time.sleep(3 * SLOW)  # the reader is the faster one
        trained += 1
        return ((a - y) ** 2).sum(1) / 2, a - y

    make(cost).fit_batches(batches(), prefetch=2)
    assert trained == 60
    assert most <= 4  # one that is trained on, two that wait, one being counted as trained


def test_as_many_as_you_like_may_be_read_ahead(data):
    trainer, plain = make(), make()
    trainer.fit_batches(slowly(cut(data)), prefetch=10**15)
    plain.fit_batches(cut(data), prefetch=0)
    assert bits(trainer.net.parameters) == bits(plain.net.parameters)


def test_where_no_thread_can_be_started_reading_needs_none(data, monkeypatch):
    started = threading.Thread.start

    def start(thread):
        if thread.name == "bpnet reader":
            raise RuntimeError("can't start new thread")
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    ended = []

    def batches():
        try:
            yield from slowly(cut(data))
        finally:
            ended.append(threading.get_ident())

    trainer, plain = make(), make()
    trainer.fit_batches(batches())
    plain.fit_batches(cut(data), prefetch=0)
    assert bits(trainer.net.parameters) == bits(plain.net.parameters)
    assert ended == [threading.get_ident()]


def test_quick_batches_are_read_where_they_are(data):
    """No thread for what takes no time: handing over would cost more."""
    seen = set()

    def batches():
        for batch in cut(data):
            seen.add(threading.get_ident())
            yield batch

    make("quadratic").fit_batches(batches())
    assert seen == {threading.get_ident()}


def test_lists_are_used_in_place(data):
    x, y, _ = data
    seen = []

    class Watched(np.ndarray):
        def __array_finalize__(self, other):
            seen.append(self)

    views = x.view(Watched), y.view(Watched)
    seen.clear()
    make("quadratic").fit_batches([views])
    assert not seen


def test_errstate_holds_in_the_thread(data):
    """What np.errstate and its like say here, they say there."""
    said = []

    def batches():
        for batch in slowly(cut(data)):
            said.append((threading.get_ident(), np.geterr()["divide"]))
            yield batch

    with np.errstate(divide="call"):
        make().fit_batches(batches())
    assert len({ident for ident, _ in said}) == 2
    assert {kind for _, kind in said} == {"call"}


@pytest.mark.parametrize(
    ("prefetch", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_prefetch_is_a_number(prefetch, error, data):
    with pytest.raises(error, match="prefetch"):
        make().fit_batches(slowly(cut(data)), prefetch=prefetch)


# ---- data on disk ----------------------------------------------------------------------------------------------------


def test_row_groups_of_a_parquet_file(tmp_path, data):
    pl = pytest.importorskip("polars")
    x, y, w = data
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y[:, 0], "z": y[:, 1], "w": w})
    path = tmp_path / "table.parquet"
    frame.write_parquet(path, row_group_size=40)

    def groups():
        table = pl.scan_parquet(path)
        for start in range(0, 240, 40):
            group = table.slice(start, 40).collect()
            yield group.select("a", "b", "c"), group.select("y", "z"), group["w"]

    trainers = make(), make()
    trainers[0].fit_batches(groups())
    trainers[1].fit_batches(cut(data, 40))
    assert trainers[0].steps == 6
    assert bits(trainers[0].net.parameters) == bits(trainers[1].net.parameters)


def test_a_memory_map_serves_every_call(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1000, 3)).astype("float32"), rng.normal(size=(1000, 2)).astype(">f8")
    for name, a in (("x", x), ("y", y)):
        a.tofile(tmp_path / name)
    mx = np.memmap(tmp_path / "x", "float32", "r", shape=x.shape)
    my = np.memmap(tmp_path / "y", ">f8", "r", shape=y.shape)
    out = np.memmap(tmp_path / "out", "float32", "w+", shape=(1000, 2))
    nets = [random_net([3, 5, 2], dtype="float32") for _ in range(2)]
    for net, (a, b) in zip(nets, ((x, y), (mx, my)), strict=True):
        net.fit(a, b, epochs=2, validation=0.1)
        bpnet.Trainer(net).fit_batches((a[i : i + 99], b[i : i + 99]) for i in range(0, 1000, 99))
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    assert nets[1].predict(mx, out=out) is out
    out.flush()
    assert bits(np.fromfile(tmp_path / "out", "float32").reshape(-1, 2)) == bits(nets[0].predict(x))
    assert bits(nets[1].gradient(mx, my).flat) == bits(nets[0].gradient(x, y).flat)
    assert nets[1].cost(mx, my) == nets[0].cost(x, y)


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, threading, time, numpy as np, bpnet
signal.signal(signal.SIGINT, signal.default_int_handler)
net = bpnet.Network([16, 256, 1], "tanh", "identity", seed=0)
trainer = bpnet.Trainer(net, threads=1)
x = np.linspace(-1, 1, 16 * 512, dtype=np.float32).reshape(512, 16)
closed = threading.Event()
def batches():
    try:
        for number in range(100_000):
            time.sleep({reading})
            if number == 20:
                threading.Timer({after}, os.kill, (os.getpid(), signal.SIGINT)).start()
            yield x * (number % 7), x[:, 0]
    finally:
        closed.set()
try:
    trainer.fit_batches(batches(), prefetch={prefetch})
except KeyboardInterrupt:
    pass
else:
    raise AssertionError("not interrupted")
assert closed.wait(10)
for thread in threading.enumerate():
    if thread.name == "bpnet reader":
        thread.join(10)
assert "bpnet reader" not in [thread.name for thread in threading.enumerate()]
assert 19 <= trainer.steps < 50_000, trainer.steps
twin = bpnet.Network([16, 256, 1], "tanh", "identity", seed=0)
other = bpnet.Trainer(twin)
for number in range(trainer.steps):
    other.step(x * (number % 7), x[:, 0])
assert (net.parameters == twin.parameters).all()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("prefetch", [0, 1, 4])
@pytest.mark.parametrize(("reading", "after"), [(0.0005, 0.05), (0.02, 0.031)], ids=["in a step", "in a read"])
def test_ctrl_c(reading, after, prefetch):
    """The network is as after the last finished step, the generator closed, the thread gone."""
    script = INTERRUPTED.format(reading=reading, after=after, prefetch=prefetch)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
