"""What things say about themselves."""

import copy
import inspect
import json
import pickle

import bpnet
import numpy as np
import oracle
import pytest
from bpnet import _core
from nets import bits, random_net


def test_every_public_name_says_bpnet():
    for name in bpnet.__all__:
        thing = getattr(bpnet, name)
        if name != "__version__":
            assert thing.__module__ == "bpnet", name
            assert inspect.getdoc(thing), name


def test_version():
    assert bpnet.__version__ == _core.__version__ == bpnet.get_config()["version"]
    assert bpnet.__version__[0].isdigit()


def test_the_tables_of_names():
    assert sorted(_core.activation_names()) == sorted(oracle.ALL_ACTIVATIONS)
    assert sorted(_core.cost_names()) == sorted(oracle.COSTS)


def test_show_config_prints_what_get_config_returns(capsys):
    assert bpnet.show_config() is None
    out = capsys.readouterr().out
    config = bpnet.get_config()
    for name in ("version", "isa", "isa_available", "compiler", "eigen", "threads"):
        assert name in out
        assert name in config
    assert config["isa"] in out
    assert config["isa"] in config["isa_available"]
    assert config["threads"] >= 1


CONFIGURED = [
    lambda: bpnet.Network([3, 4, 2], seed=1),
    lambda: bpnet.Network([3, 2], output_activation="softmax", seed=1),
    lambda: bpnet.Network(
        (3, 4, 5, 2), ["tanh", "relu"], "identity", bpnet.Orthogonal(gain=2.0), "float64", 5, bias_init="normal"
    ),
    lambda: bpnet.Network(
        np.array([3, 4, 2]), init=bpnet.Normal(std=0.5), seed=1, bias_init=bpnet.Uniform(low=0.0, high=1.0)
    ),
]


@pytest.mark.parametrize("make", CONFIGURED)
def test_a_config_makes_the_network_anew(make):
    net = make()
    plain = json.loads(json.dumps(net.config))
    assert plain == net.config == make().config
    again = bpnet.Network(**plain)
    assert again.config == net.config
    assert bits(again.parameters) == bits(net.parameters)


def test_configs_differ_where_networks_do():
    base = {"sizes": [3, 4, 2], "seed": 1}
    others = [{"sizes": [3, 5, 2]}, {"activation": "tanh"}, {"output_activation": "tanh"}, {"init": "zeros"}]
    others += [{"dtype": "float64"}, {"seed": 2}, {"bias_init": "normal"}]
    for other in others:
        assert bpnet.Network(**base).config != bpnet.Network(**{**base, **other}).config


def test_attributes():
    net = bpnet.Network([784, 30, 10], activation="tanh", output_activation="softmax", seed=4)
    assert net.sizes == (784, 30, 10)
    assert net.depth == 2
    assert net.dtype == np.float32
    assert net.activations == ("tanh", "softmax")
    assert net.n_parameters == 784 * 30 + 30 + 30 * 10 + 10 == net.parameters.size
    assert net.seed == 4
    assert net.input_shift is net.input_scale is net.output_shift is net.output_scale is None


@pytest.mark.parametrize("make", CONFIGURED)
def test_repr(make):
    net = make()
    again = eval(repr(net))
    assert (again.sizes, again.activations, again.dtype) == (net.sizes, net.activations, net.dtype)


def test_summary():
    net = bpnet.Network([784, 30, 10], output_activation="softmax", seed=0)
    text = net.summary()
    for word in ("784", "30", "10", "sigmoid", "softmax", "23,550", "310", "23,860"):
        assert word in text
    assert max(map(len, text.splitlines())) < 80


def test_reprs_name_what_they_are():
    net = random_net([3, 4, 2])
    x = np.zeros((5, 3))
    history = net.fit(x, x[:, :2], epochs=2)
    things = [net.gradient(x, x[:, :2]), net.forward(x), history, bpnet.Trainer(net), bpnet.Adam(), bpnet.Huber()]
    for thing in things:
        assert repr(thing).startswith(f"bpnet.{type(thing).__name__}(")


NEEDED = {"from_keras": "keras", "from_sklearn": "sklearn", "from_torch": "torch", "to_torch": "torch"}


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # in Keras
@pytest.mark.parametrize("name", bpnet.__all__)
def test_docstring_examples(name):
    import doctest

    if name in NEEDED:
        pytest.importorskip(NEEDED[name])
    thing = getattr(bpnet, name)
    if name == "__version__":
        thing = bpnet
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    finder = doctest.DocTestFinder(recurse=name != "__version__")
    for test in finder.find(thing, name, module=False, globs={"bpnet": bpnet}):
        runner = doctest.DocTestRunner(optionflags=flags)
        said = []
        runner.run(test, out=said.append)
        assert runner.failures == 0, "".join(said)


def test_options_of_a_derived_class_count():
    class Near(bpnet.Huber):
        __slots__ = ()

    class Further(bpnet.Adam):
        __slots__ = ()

    class Noted(bpnet.Huber):
        __slots__ = ("__weakref__",)

    class Named(bpnet.Huber):
        __slots__ = "label"

        def __init__(self, *, delta, label):
            super().__init__(delta=delta)
            self._set(label=label)

    assert repr(Noted(delta=2.0)) == "bpnet.Noted(delta=2.0)"
    assert repr(Named(delta=2.0, label=7)) == "bpnet.Named(delta=2.0, label=7)"
    net = bpnet.Network([1, 1], output_activation="identity", init="zeros")
    assert Near(delta=1.0) != Near(delta=5.0)
    assert [net.cost([1.0], [10.0], Near(delta=delta)) for delta in (1.0, 5.0)] == [9.5, 37.5]
    assert repr(Further(learning_rate=0.5)) == repr(bpnet.Adam(learning_rate=0.5)).replace("Adam", "Further")


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_trainer_is_neither_copied_nor_pickled(copying):
    with pytest.raises(TypeError, match="a Trainer can be neither copied nor pickled"):
        copying(bpnet.Trainer(bpnet.Network([1, 1])))


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_too_long_to_print_are_refused_by_name(name, sign):
    with pytest.raises(ValueError, match=f"^{name} is too long to print, but must be"):
        bpnet.Network([1, 1]).fit([[0.5]], [[0.5]], **{name: sign * 10**5000})


def test_calling_a_network_is_predicting():
    class Doubled(bpnet.Network):
        def predict(self, x, out=None, *, threads=None):
            return 2 * super().predict(x, out, threads=threads)

    net = Doubled([3, 2], seed=0)
    assert bits(net(np.ones(3))) == bits(net.predict(np.ones(3))) == bits(2 * bpnet.Network.predict(net, np.ones(3)))


def test_an_init_that_fails_changes_nothing():
    net = bpnet.Network([2, 3, 1], seed=1)
    config, before = net.config, bits(net.parameters)
    for bad in ({"seed": -1}, {"bias_init": "none"}, {"dtype": "float16"}):
        with pytest.raises((TypeError, ValueError)):
            net.__init__([4, 1], init="zeros", **bad)
        assert (net.config, bits(net.parameters)) == (config, before)
