"""What cannot be used: a TypeError or a ValueError that names the argument, and a network left untouched."""

import bpnet
import numpy as np
import pytest
from nets import bits, random_net

X, Y = np.zeros((5, 3)), np.full((5, 2), 0.5)


def raises(kind, *words):
    """The message holds every one of these words, in this order."""
    return pytest.raises(kind, match=r"(?s)" + ".*".join(rf"\b{word}\b" for word in words))


# ---- making ----------------------------------------------------------------------------------------------------------

MAKING = {
    "no layers": ([3], {}, ValueError, "sizes"),
    "no sizes": ([], {}, ValueError, "sizes"),
    "size 0": ([3, 0, 2], {}, ValueError, "sizes"),
    "negative size": ([3, -1], {}, ValueError, "sizes"),
    "fractional size": ([3, 2.5], {}, TypeError, "sizes"),
    "size True": ([3, True], {}, TypeError, "sizes"),
    "a number": (3, {}, TypeError, "sizes"),
    "text": ("32", {}, TypeError, "sizes"),
    "enormous": ([2**40, 2**40], {}, ValueError, "sizes"),
    "unknown activation": ([3, 4, 2], {"activation": "sigmoidal"}, ValueError, "activation"),
    "just enormous": ([2**31, 2**29], {}, ValueError, "sizes"),
    "a set of activations": ([3, 4, 4, 2], {"activation": {"tanh", "relu"}}, TypeError, "activation"),
    "a dict of activations": ([3, 4, 2], {"activation": {"tanh": 1}}, TypeError, "activation"),
    "activation of another type": ([3, 4, 2], {"activation": 3}, TypeError, "activation"),
    "too many activations": ([3, 4, 2], {"activation": ["tanh", "tanh"]}, ValueError, "activation"),
    "too few activations": ([3, 4, 4, 2], {"activation": ["tanh"]}, ValueError, "activation"),
    "unknown output activation": ([3, 2], {"output_activation": "softmaxx"}, ValueError, "output_activation"),
    "unknown init": ([3, 2], {"init": "xavier"}, ValueError, "init"),
    "init of another type": ([3, 2], {"init": 0.1}, TypeError, "init"),
    "bias_init for weights": ([3, 2], {"bias_init": "orthogonal"}, ValueError, "bias_init"),
    "half precision": ([3, 2], {"dtype": "float16"}, ValueError, "dtype"),
    "unknown dtype": ([3, 2], {"dtype": "double precision"}, ValueError, "dtype"),
    "dtype None": ([3, 2], {"dtype": None}, TypeError, "dtype"),
    "negative seed": ([3, 2], {"seed": -1}, ValueError, "seed"),
    "seed of another type": ([3, 2], {"seed": "lucky"}, TypeError, "seed"),
}


@pytest.mark.parametrize("row", MAKING)
def test_making(row):
    sizes, options, kind, name = MAKING[row]
    with raises(kind, name):
        bpnet.Network(sizes, **options)


@pytest.mark.parametrize(("wrong", "right"), [("sigmod", "sigmoid"), ("swish", "silu"), ("ReLU", "relu")])
def test_near_misses_are_corrected(wrong, right):
    with raises(ValueError, "activation", right):
        bpnet.Network([3, 4, 2], wrong)


OPTIONS = {
    "huber": (lambda: bpnet.Huber(delta=0.0), "delta"),
    "huber nan": (lambda: bpnet.Huber(delta=np.nan), "delta"),
    "quantile 0": (lambda: bpnet.Quantile(q=0), "q"),
    "quantile 1": (lambda: bpnet.Quantile(q=1.0), "q"),
    "learning rate": (lambda: bpnet.SGD(learning_rate=-1.0), "learning_rate"),
    "momentum": (lambda: bpnet.SGD(momentum=1.0), "momentum"),
    "nesterov": (lambda: bpnet.SGD(nesterov=True), "nesterov"),
    "beta": (lambda: bpnet.Adam(beta2=1.5), "beta2"),
    "eps": (lambda: bpnet.Adam(eps=0.0), "eps"),
    "rho": (lambda: bpnet.RMSProp(rho=-0.1), "rho"),
    "weight decay": (lambda: bpnet.AdamW(weight_decay=-0.1), "weight_decay"),
    "rate of text": (lambda: bpnet.Adam(learning_rate="fast"), "learning_rate"),
    "schedule": (lambda: bpnet.StepDecay(initial=1.0, factor=0.5, steps=0), "steps"),
    "std": (lambda: bpnet.Normal(std=-1.0), "std"),
    "low": (lambda: bpnet.Uniform(low=1.0, high=0.0), "low"),
}


@pytest.mark.parametrize("row", OPTIONS)
def test_options(row):
    make, name = OPTIONS[row]
    with raises((TypeError, ValueError), name):
        make()


# ---- using -----------------------------------------------------------------------------------------------------------

WRONG_X = {  # x, error, what the message must name
    "features": (np.zeros((5, 4)), ValueError, ("x", "4", "3")),
    "one sample of another width": (np.zeros(4), ValueError, ("x", "4", "3")),
    "three axes": (np.zeros((5, 3, 1)), ValueError, ("x",)),
    "no axes": (np.float64(3), ValueError, ("x",)),
    "complex": (np.zeros((5, 3), complex), TypeError, ("x", "complex128")),
    "text": (np.full((5, 3), "1"), TypeError, ("x",)),
    "objects": (np.full((5, 3), None), TypeError, ("x",)),
    "dates": (np.zeros((5, 3), "datetime64[s]"), TypeError, ("x",)),
    "records": (np.zeros((5, 3), [("a", "f8")]), TypeError, ("x",)),
    "None": (None, TypeError, ("x",)),
    "ragged": ([[1, 2, 3], [1, 2]], (TypeError, ValueError), ("x",)),
    "a dict": ({"x": 1}, TypeError, ("x",)),
}
CALLS = {
    "predict": lambda net, x, y, **more: net.predict(x, **more),
    "call": lambda net, x, y, **more: net(x, **more),
    "forward": lambda net, x, y, **more: net.forward(x, **more),
    "cost": lambda net, x, y, **more: net.cost(x, y, **more),
    "gradient": lambda net, x, y, **more: net.gradient(x, y, **more),
    "fit": lambda net, x, y, **more: net.fit(x, y, **more),
    "step": lambda net, x, y, **more: bpnet.Trainer(net).step(x, y, **more),
    "normalize": lambda net, x, y, **more: net.normalize(x, y, **more),
}


def refused(call, error, words, x=X, y=Y, net=None, **more):
    net = net or random_net([3, 4, 2], "tanh", "sigmoid")
    before = bits(net.parameters)
    with raises(error, *words):
        CALLS[call](net, x, y, **more)
    assert bits(net.parameters) == before
    assert net.input_shift is None
    assert net.output_shift is None


@pytest.mark.parametrize(
    ("row", "call"),  # to normalize, None says to leave the input side as it is
    [(row, call) for row in WRONG_X for call in CALLS if (row, call) != ("None", "normalize")],
)
def test_x(row, call):
    x, error, words = WRONG_X[row]
    refused(call, error, words[:1] if call == "normalize" else words, x=x)


WRONG_Y = {
    "outputs": (np.zeros((5, 3)), ValueError, ("y", "3", "2")),
    "rows": (np.zeros((4, 2)), ValueError, ("y", "4", "5")),
    "a vector": (np.zeros(5), ValueError, ("y",)),
    "integers that are no labels": (np.zeros(5, int), ValueError, ("y",)),
    "three axes": (np.zeros((5, 2, 1)), ValueError, ("y",)),
    "complex": (np.zeros((5, 2), complex), TypeError, ("y", "complex128")),
    "text": (np.full((5, 2), "1"), TypeError, ("y",)),
    "None": (None, TypeError, ("y",)),
}


@pytest.mark.parametrize("call", ["cost", "gradient", "fit", "step"])
@pytest.mark.parametrize("row", WRONG_Y)
def test_y(row, call):
    y, error, words = WRONG_Y[row]
    refused(call, error, words, y=y)


def test_both_numbers_of_samples_are_named_where_y_is_out_of_shape_too():
    for y in (np.ones((3, 2)), np.ones((0, 2))):
        for call in (bpnet.Network([1, 1]).fit, bpnet.Trainer(bpnet.Network([1, 1])).step):
            with pytest.raises(ValueError, match=rf"y has {len(y)} samples, but x has 2"):
                call(np.ones((2, 1)), y)


@pytest.mark.parametrize("call", ["cost", "gradient", "fit"])
@pytest.mark.parametrize("cost", [bpnet.Huber(delta=1e-46), bpnet.Quantile(q=1e-50), bpnet.Quantile(q=1 - 1e-12)])
def test_the_number_of_a_cost_must_lie_in_its_range_in_float32_too(call, cost):
    x, y = np.ones((2, 1)), np.full((2, 1), 0.5)
    getattr(bpnet.Network([1, 1], dtype="float64"), call)(x, y, cost=cost)
    with pytest.raises(ValueError, match=r"(delta of huber|q of quantile) is .* in float32, but must lie between"):
        getattr(bpnet.Network([1, 1]), call)(x, y, cost=cost)


@pytest.mark.parametrize("call", ["cost", "gradient", "fit", "step"])
def test_a_vector_never_becomes_a_square(call):
    """y (m,) against outputs (m, 1) is m targets, and (1,) is not five."""
    net = random_net([3, 4, 1])
    refused(call, ValueError, ("y",), y=np.zeros(1), net=net)
    refused(call, ValueError, ("y",), y=np.zeros((1, 5)), net=net)
    refused(call, ValueError, ("y",), y=np.zeros(4), net=net)


@pytest.mark.parametrize("call", ["cost", "gradient", "fit"])
@pytest.mark.parametrize(
    ("y", "error"),
    [
        (np.zeros(5), (TypeError, ValueError)),  # labels are integers
        (np.array([0, 1, 2, 3, 0]), ValueError),
        (np.array([0, 1, -1, 0, 0]), ValueError),
        (np.zeros(4, int), ValueError),
        (np.zeros(5, bool), (TypeError, ValueError)),
    ],
    ids=["floats", "too large", "negative", "rows", "bools"],
)
def test_labels(y, error, call):
    refused(call, error, ("y",), y=y, net=random_net([3, 4, 3], "tanh", "softmax"), cost="cross_entropy")


WRONG_WEIGHTS = {
    "rows": (np.ones(4), ValueError),
    "two axes": (np.ones((5, 1)), ValueError),
    "negative": ([1, 1, -1, 1, 1], ValueError),
    "nan": ([1, 1, np.nan, 1, 1], ValueError),
    "infinite": ([1, 1, np.inf, 1, 1], ValueError),
    "negative and tiny": ([1, 1, -1e-320, 1, 1], ValueError),
    "text": (["a"] * 5, TypeError),
    "a number": (2.0, (TypeError, ValueError)),
}


@pytest.mark.parametrize("call", ["cost", "gradient", "fit", "step"])
@pytest.mark.parametrize("row", WRONG_WEIGHTS)
def test_sample_weight(row, call):
    weights, error = WRONG_WEIGHTS[row]
    refused(call, error, ("sample_weight",), sample_weight=weights)


@pytest.mark.parametrize("call", ["cost", "gradient"])
def test_weights_that_sum_to_zero_have_no_mean(call):
    refused(call, ValueError, ("sample_weight",), sample_weight=np.zeros(5))


@pytest.mark.parametrize("call", ["cost", "gradient", "fit", "step"])
def test_no_samples_have_no_cost(call):
    refused(call, ValueError, ("x",), x=np.zeros((0, 3)), y=np.zeros((0, 2)))


WRONG_OPTIONS = [
    ("cost", {"cost": "mse"}, ValueError, ("cost", "quadratic")),
    ("cost", {"cost": 3}, TypeError, ("cost",)),
    ("cost", {"reduction": "average"}, ValueError, ("reduction",)),
    ("gradient", {"cost": "no such"}, ValueError, ("cost",)),
    ("gradient", {"reduction": "max"}, ValueError, ("reduction",)),
    ("gradient", {"wrt": "weights"}, ValueError, ("wrt",)),
    ("gradient", {"wrt": ("x", "y")}, ValueError, ("wrt",)),
    ("gradient", {"wrt": ()}, ValueError, ("wrt",)),
    ("gradient", {"wrt": 1}, TypeError, ("wrt",)),
    ("fit", {"optimizer": "adamax"}, ValueError, ("optimizer",)),
    ("fit", {"optimizer": bpnet.Adam}, TypeError, ("optimizer",)),
    ("fit", {"epochs": -1}, ValueError, ("epochs",)),
    ("fit", {"epochs": 1.5}, TypeError, ("epochs",)),
    ("fit", {"batch_size": 0}, ValueError, ("batch_size",)),
    ("fit", {"batch_size": "all"}, TypeError, ("batch_size",)),
    ("fit", {"l1": -1.0}, ValueError, ("l1",)),
    ("fit", {"l2": np.nan}, ValueError, ("l2",)),
    ("fit", {"seed": -5}, ValueError, ("seed",)),
    ("fit", {"shuffle": "yes"}, TypeError, ("shuffle",)),
    ("fit", {"callback": 3}, TypeError, ("callback",)),
    ("fit", {"validation": 0.0}, ValueError, ("validation",)),
    ("fit", {"validation": 1.0}, ValueError, ("validation",)),
    ("fit", {"validation": (X,)}, (TypeError, ValueError), ("validation",)),
    ("fit", {"validation": (X, Y[:3])}, ValueError, ("validation",)),
    ("fit", {"validation": (X[:, :2], Y)}, ValueError, ("validation",)),
    ("fit", {"validation": "some"}, TypeError, ("validation",)),
]
WRONG_OPTIONS += [
    (call, {"threads": threads}, error, ("threads",))
    for call in ("predict", "forward", "cost", "gradient", "fit")
    for threads, error in (
        (0, ValueError),
        (-1, ValueError),
        (-(2**70), ValueError),
        (1.5, TypeError),
        ("two", TypeError),
        (np.array([1, 2]), TypeError),
        (np.array(2.5), TypeError),
    )
]


@pytest.mark.parametrize(("call", "options", "error", "words"), WRONG_OPTIONS, ids=lambda v: str(v)[:40])
def test_options_of_calls(call, options, error, words):
    refused(call, error, words, **options)


WRONG_OUT = {
    "shape": (np.zeros((5, 3)), ValueError),
    "rows": (np.zeros((4, 2)), ValueError),
    "dtype": (np.zeros((5, 2), "float32"), (TypeError, ValueError)),
    "order": (np.zeros((2, 5)).T, ValueError),
    "a list": ([[0.0, 0.0]] * 5, TypeError),
}


@pytest.mark.parametrize("row", WRONG_OUT)
def test_out(row):
    out, error = WRONG_OUT[row]
    kept = np.array(out)
    refused("predict", error, ("out",), out=out)
    assert bits(np.array(out)) == bits(kept)


def test_out_that_may_not_be_written():
    out = np.zeros((5, 2))
    out.flags.writeable = False
    refused("predict", ValueError, ("out",), out=out)


def test_out_that_overlaps_x():
    """Refused, or as if it did not."""
    net = random_net([2, 4, 2])
    x = np.random.default_rng(0).normal(size=(200, 2))
    want = bits(net.predict(x.copy()))
    try:
        net.predict(x, out=x)
    except ValueError as error:
        assert "out" in str(error)
    else:
        assert bits(x) == want


@pytest.mark.parametrize(
    ("output", "cost"),
    [
        ("tanh", "binary_cross_entropy"),
        ("identity", "cross_entropy"),
        ("relu", "binary_cross_entropy"),
        ("tanh", "poisson"),
    ],
)
@pytest.mark.parametrize("call", ["cost", "gradient", "fit"])
def test_a_cost_must_fit_the_output_activation(call, output, cost):
    refused(call, ValueError, ("cost|" + cost, output), net=random_net([3, 4, 2], "tanh", output), cost=cost)


def test_apply():
    trainer = bpnet.Trainer(random_net([3, 4, 2]))
    for gradient, error in (
        (np.zeros(5), ValueError),
        (np.zeros((26, 1)), ValueError),
        ("steep", TypeError),
        (None, TypeError),
    ):
        with raises(error, "gradient"):
            trainer.apply(gradient)
    with pytest.raises(AttributeError, match="wrt"):
        trainer.apply(trainer.net.gradient(X, Y, wrt="x"))
    assert trainer.steps == 0


def test_fit_batches():
    trainer = bpnet.Trainer(random_net([3, 4, 2]))
    for batches, error in (([], ValueError), (3, TypeError), ([X], TypeError), ([(X,)], TypeError)):
        with raises(error, "batches"):
            trainer.fit_batches(batches)
    assert trainer.steps == 0


def test_a_trainer_trains_a_network():
    with raises(TypeError, "net"):
        bpnet.Trainer("net")


def test_parameters_and_views_are_not_replaced_by_accident():
    net = random_net([3, 4, 2])
    for name in ("parameters", "weights", "biases", "sizes", "dtype", "seed", "config"):
        with pytest.raises(AttributeError):
            setattr(net, name, None)
    with pytest.raises(AttributeError):
        net.no_such_thing = 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_normalize_wants_finite_numbers(bad):
    x = np.zeros((5, 3))
    x[3, 1] = bad
    refused("normalize", ValueError, ("x", "3"), x=x)
    net = random_net([3, 4, 2])
    with pytest.raises(TypeError, match="x"):
        net.normalize()
