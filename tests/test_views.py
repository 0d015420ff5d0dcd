"""Views of the parameters, and every array that is handed out: they keep their memory and never dangle."""

import copy
import ctypes
import gc
import os
import pickle
import subprocess
import sys
import weakref

import bpnet
import numpy as np
import pytest
from bpnet import _core
from nets import bits, random_net

SIZES = [3, 4, 2]
X, Y = np.linspace(-1, 1, 21).reshape(7, 3), np.full((7, 2), 0.5)

VIEWS = {  # of a network: all of them, as one list
    "parameters": lambda net: [net.parameters],
    "weights": lambda net: [*net.weights],
    "biases": lambda net: [*net.biases],
    "slices": lambda net: [net.parameters[3:9:2], net.weights[0].T[1:], net.biases[1][::-1]],
    "other types": lambda net: [net.parameters.view(np.uint8), np.asarray(memoryview(net.biases[0]))],
}


def address(a):
    return a.__array_interface__["data"][0]


def scribble():
    """Memory that was freed is taken and filled with something else."""
    gc.collect()
    return [np.full(n, 7.25e-99) for n in (26, 32, 64, 512) for _ in range(50)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", VIEWS)
def test_views_keep_the_memory_alive(row, dtype):
    net = random_net(SIZES, dtype=dtype)
    views = VIEWS[row](net)
    kept = [bits(view) for view in views]
    del net
    noise = scribble()
    assert [bits(view) for view in views] == kept
    for view in views:
        view[...] = 3
        assert (view == 3).all()
    del views, noise


@pytest.mark.parametrize("row", VIEWS)
def test_views_write_through(row):
    net = random_net(SIZES)
    before, output = net.parameters.copy(), bits(net.predict(X))
    for view in VIEWS[row](net):
        assert view.flags.writeable
        assert np.shares_memory(view, net.parameters)
        view[...] = 1
    assert bits(net.predict(X)) != output
    assert bits(net.parameters) != bits(before)
    twin = random_net(SIZES, seed=1)
    twin.parameters[...] = net.parameters
    assert bits(net.predict(X)) == bits(twin.predict(X))


def reload(net):
    return pickle.loads(pickle.dumps(net))


def diverge(net):
    with np.errstate(all="ignore"), pytest.raises(bpnet.DivergenceError):
        net.fit(X, Y, optimizer=bpnet.SGD(learning_rate=1e300), epochs=9)


def interrupted_by_data(net):
    bad = X.copy()
    bad[3] = np.nan
    with pytest.raises(ValueError, match="row 3"):
        net.fit(bad, Y)


def stopped(net):
    def callback(trainer, epoch, history):
        raise LookupError

    with pytest.raises(LookupError):
        net.fit(X, Y, callback=callback)


CHANGES = {
    "fit": lambda net: net.fit(X, Y, epochs=2),
    "step": lambda net: bpnet.Trainer(net).step(X, Y),
    "apply": lambda net: bpnet.Trainer(net).apply(np.ones(net.n_parameters)),
    "fit_batches": lambda net: bpnet.Trainer(net).fit_batches([(X, Y)] * 3),
    "diverged fit": diverge,
    "fit on bad data": interrupted_by_data,
    "stopped fit": stopped,
    "normalize": lambda net: net.normalize(X, Y + X[:, :2]),
    "copy": lambda net: net.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": reload,
    "astype": lambda net: net.astype("float32"),
    "gradient": lambda net: net.gradient(X, Y, wrt=("parameters", "x", "layers")),
    "initialize": lambda net: bpnet.Network(**net.config),
}


@pytest.mark.parametrize("change", CHANGES)
def test_views_stay_views_of_the_network(change):
    """Whatever happens to it, its parameters are where they were, and what comes out is somewhere else."""
    net = random_net(SIZES)
    views = [view for row in VIEWS.values() for view in row(net)]
    where = address(net.parameters)
    made = CHANGES[change](net)
    assert address(net.parameters) == where
    for view in views:
        assert np.shares_memory(view, net.parameters)
    views[0][...] = np.arange(net.n_parameters)
    assert net.parameters.tolist() == list(range(net.n_parameters))
    if isinstance(made, bpnet.Network):
        assert not np.shares_memory(made.parameters, net.parameters)
        assert made.parameters.tolist() != net.parameters.tolist()
        kept = bits(made.parameters)
        del net, views
        noise = scribble()
        assert bits(made.parameters) == kept
        del noise


def test_loaded_networks_share_nothing_with_the_file(tmp_path):
    net = random_net(SIZES)
    net.normalize(X)
    net.save(tmp_path / "net")
    first, second = bpnet.load(tmp_path / "net"), bpnet.load(tmp_path / "net")
    view = first.parameters
    assert not np.shares_memory(view, second.parameters)
    os.truncate(tmp_path / "net", 0)  # were it mapped, the next look would end the process
    assert bits(view) == bits(net.parameters)
    view[...] = 0
    assert bits(second.parameters) == bits(net.parameters)


def test_a_trainer_keeps_its_network():
    trainer = bpnet.Trainer(random_net(SIZES), cost=bpnet.Huber(delta=0.5), optimizer=bpnet.Adam())
    noise = scribble()
    twin = random_net(SIZES)
    bpnet.Trainer(twin, cost=bpnet.Huber(delta=0.5), optimizer=bpnet.Adam()).step(X, Y)
    trainer.step(X, Y)
    assert bits(trainer.net.parameters) == bits(twin.parameters)
    del noise


def results(net):
    """Every array that calls hand out."""
    forward, g = net.forward(X), net.gradient(X, Y, wrt=("parameters", "x", "layers"))
    normal = (net.input_shift, net.input_scale, net.output_shift, net.output_scale)
    return [net.predict(X), *forward.z, *forward.a, g.flat, g.x, *g.deltas, *g.activations, *normal]


def test_results_belong_to_whoever_asked():
    """They outlive everything, share nothing with each other, the network or the next call, and may be written to."""
    net = random_net(SIZES)
    net.normalize(X, Y + X[:, :2])
    mine = results(net)
    kept = [bits(a) for a in mine]
    others = results(net)
    for i, a in enumerate(mine):
        assert a.flags.writeable and a.flags.owndata
        assert not np.shares_memory(a, net.parameters)
        assert not np.shares_memory(a, X)
        assert not any(np.shares_memory(a, b) for b in mine[:i] + others)
    for a in others:
        a[...] = 99
    del net, others
    noise = scribble()
    assert [bits(a) for a in mine] == kept
    del noise


def test_writing_to_copies_of_the_normalisation_changes_nothing():
    net = random_net(SIZES)
    net.normalize(X, Y + X[:, :2])
    output = bits(net.predict(X))
    for name in ("input_shift", "input_scale", "output_shift", "output_scale"):
        getattr(net, name)[...] = 5
    assert bits(net.predict(X)) == output
    shift = net.input_shift
    kept = bits(shift)
    net.normalize(X + 1, Y)
    assert bits(shift) == kept


def test_parts_of_a_gradient_outlive_it():
    g = random_net(SIZES).gradient(X, Y)
    parts = [*g.weights, *g.biases]
    kept = [bits(a) for a in parts]
    assert all(np.shares_memory(a, g.flat) for a in parts)
    del g
    noise = scribble()
    assert [bits(a) for a in parts] == kept
    del noise


def test_a_view_cannot_be_pulled_from_under_the_network():
    net = random_net(SIZES)
    for view in (net.parameters, net.biases[0]):
        with pytest.raises(ValueError, match=r"own|resize"):
            view.resize(1000)
    for name in ("parameters", "weights", "biases"):
        with pytest.raises(AttributeError):
            setattr(net, name, np.zeros(3))
        with pytest.raises(AttributeError):
            delattr(net, name)
    with pytest.raises(TypeError):
        net.weights[0] = np.zeros((4, 3))


SCRIPT = """
import gc, os, numpy as np, bpnet
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) / 1024
def use(views):
    net = bpnet.Network([1000, 1000, 2], "tanh", "identity", seed=0)  # 4 MB
    views[:] = [net.weights[0][5], net.parameters[-3:], net.biases[1]]
    trainer = bpnet.Trainer(net)
    trainer.step(np.ones(1000), np.ones(2))
    views += [net.forward(np.ones(1000)).a[1], net.gradient(np.ones(1000), np.ones(2)).biases[1]]
    del net, trainer
    gc.collect()
    for view in views:
        view[...] += 1
views = []
for _ in range(3):
    use(views)
before = resident()
for _ in range(40):
    use(views)
assert resident() - before < 16, (before, resident())  # 160 MB where every network stayed
assert all(np.isfinite(view).all() for view in views)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("malloc", ["pymalloc_debug", "malloc_debug", "malloc"])
def test_networks_go_with_their_last_view(malloc):
    """In Python's development mode, with freed memory overwritten: nothing dangles, and nothing stays."""
    # large blocks go back to the system at once, so that what stays is ours
    glibc = {"MALLOC_PERTURB_": "165", "MALLOC_MMAP_THRESHOLD_": "65536"}
    environment = os.environ | glibc | {"PYTHONMALLOC": malloc}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


class Owner:
    """Whose method is the cost of the trainer, or of the core's object, that it holds."""

    def __init__(self, kind):
        self.net = bpnet.Network([3, 2], dtype="float64", seed=0)
        if kind == "a cost":
            self.held = _core.Cost.custom(self.cost)
            self.net._native.cost(np.ones((5, 3)), np.ones((5, 2)), self.held, None, "mean", None)
            return
        self.held = bpnet.Trainer(self.net, cost=self.cost)
        if kind == "a trainer":
            return
        self.held.step(np.ones((5, 3)), np.zeros((5, 2)))
        self.held.fit(np.ones((5, 3)), np.zeros((5, 2)), validation=0.2, callback=self.look)

    def cost(self, a, y):
        return ((a - y) ** 2).sum(1), 2 * (a - y)

    def look(self, trainer, epoch, history):
        gc.collect()  # must leave alone what is in use
        assert trainer is self.held


@pytest.fixture
def little_to_collect():
    """What the other tests have left is out of the collector's way: it would take seconds, dozens of times."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("kind", ["a cost", "a trainer", "a trainer with steps behind it"])
def test_an_owner_whose_method_is_the_cost_is_collected(kind, little_to_collect):
    for _ in range(5):
        owner = Owner(kind)
        last = weakref.ref(owner)
        del owner
        gc.collect()
        assert last() is None


def test_what_the_collector_has_cleared_raises():
    """Whoever still comes to a trainer while its cycle is being taken apart meets no cost, and no freed memory."""
    slot = ctypes.pythonapi.PyType_GetSlot
    slot.restype, slot.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_int)
    tp_clear = 51
    owner = Owner("a trainer")
    native = owner.held._native
    assert any(referent == owner.cost for referent in gc.get_referents(native))
    assert ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object)(slot(type(native), tp_clear))(native) == 0
    with pytest.raises(TypeError, match="NoneType"):
        owner.held.step(np.ones((5, 3)), np.ones((5, 2)))
    owner.held.apply(np.zeros(8))
    assert owner.held.steps == 1
