"""What is refused: each complaint names the argument, what came and what was expected, and nothing has changed."""

import datetime
import fractions

import bpnet
import numpy as np
import pytest
from nets import bits, random_net

M = 7
X, Y, W = np.linspace(-1, 1, 3 * M).reshape(M, 3), np.full((M, 2), 0.5), np.ones(M)

CALLS = {
    "predict": lambda net, x=X, y=Y, **more: net.predict(x, **more),
    "call": lambda net, x=X, y=Y, **more: net(x, **more),
    "forward": lambda net, x=X, y=Y, **more: net.forward(x, **more),
    "cost": lambda net, x=X, y=Y, **more: net.cost(x, y, **more),
    "gradient": lambda net, x=X, y=Y, **more: net.gradient(x, y, **more),
    "fit": lambda net, x=X, y=Y, **more: net.fit(x, y, **more),
    "trainer.fit": lambda net, x=X, y=Y, **more: bpnet.Trainer(net).fit(x, y, **more),
    "step": lambda net, x=X, y=Y, **more: bpnet.Trainer(net).step(x, y, **more),
    "fit_batches": lambda net, x=X, y=Y, **more: bpnet.Trainer(net).fit_batches([(x, y, *more.values())]),
    "validation": lambda net, x=X, y=Y, **more: net.fit(X, Y, validation=(x, y, *more.values())),
    "normalize": lambda net, x=X, y=Y, **more: net.normalize(x, y, **more),
}
COSTING = ["cost", "gradient", "fit", "trainer.fit", "step", "fit_batches", "validation"]
FITTING = ["fit", "trainer.fit", "step", "fit_batches", "validation"]


def everything_of(net):
    """Parameters, normalisation, architecture and seed."""
    normal = (net.input_shift, net.input_scale, net.output_shift, net.output_scale)
    return net.config, bits(net.parameters), [None if value is None else bits(value) for value in normal]


def refused(call, error, pattern, *, net=None, **arguments):
    """The call raises, in words that this pattern finds, and has changed neither the network nor its arguments."""
    net = net or random_net([3, 4, 2], "tanh", "sigmoid")
    before = everything_of(net)
    arrays = {name: value for name, value in arguments.items() if isinstance(value, np.ndarray)}
    kept = {name: bits(value) for name, value in arrays.items() if value.dtype.kind != "O"}
    with pytest.raises(error, match=f"(?s){pattern}") as caught:
        CALLS[call](net, **arguments)
    assert type(caught.value) is error
    assert everything_of(net) == before
    assert {name: bits(arrays[name]) for name in kept} == kept


# ---- what holds no real numbers, wherever numbers belong -------------------------------------------------------------

NO_NUMBERS = {  # how to make it of an array; what the complaint says
    "complex": (lambda a: a.astype(np.complex64), "dtype complex64.* real numbers"),
    "complex long double": (lambda a: a.astype(np.clongdouble), "dtype complex.* real numbers"),
    "objects": (lambda a: a.astype(object), "dtype object.* real numbers"),
    "text": (lambda a: a.astype(str), "dtype <U.* real numbers"),
    "bytes": (lambda a: a.astype("S"), r"dtype \|S.* real numbers"),
    "dates": (lambda a: np.zeros(a.shape, "datetime64[D]"), r"dtype datetime64\[D\].* real numbers"),
    "durations": (lambda a: np.zeros(a.shape, "timedelta64[s]"), r"dtype timedelta64\[s\].* real numbers"),
    "records": (lambda a: np.zeros(a.shape, [("value", "f8")]), "dtype .*value.* real numbers"),
    "raw bytes": (lambda a: np.zeros(a.shape, "V8"), r"dtype \|V8.* real numbers"),
    "masked": (lambda a: np.ma.array(a, mask=a > 0.1), "masked.*(fill|drop)"),
    "masked, nothing hidden": (lambda a: np.ma.array(a), "masked.*(fill|drop)"),
    "list of text": (lambda a: a.astype(str).tolist(), "dtype <U.* real numbers"),
    "list of None": (lambda a: np.full(a.shape, None).tolist(), "dtype object.* real numbers"),
    "list of dates": (lambda a: [datetime.date(2000, 1, 1)] * len(a), "dtype object.* real numbers"),
    "list of fractions": (lambda a: [fractions.Fraction(1, 2)] * len(a), "dtype object.* real numbers"),
    "list of enormous ints": (lambda a: np.full(a.shape, 2**70, object).tolist(), "dtype object.* real numbers"),
    "list of masked": (lambda a: list(np.ma.array(a, mask=a > 0.1)) if a.ndim > 1 else np.ma.array(a), "masked"),
    "ragged": (lambda a: [[1.0], [1.0, 2.0]], r"\(list\).*real numbers.*inhomogeneous"),
    "a generator": (lambda a: (row for row in a), r"\(generator\).*dtype object.* real numbers"),
    "a set": (lambda a: set(a.ravel().tolist()), r"\(set\).*dtype object.* real numbers"),
    "a dict": (lambda a: {"values": a}, r"\(dict\).*dtype object.* real numbers"),
    "a class": (lambda a: np.ndarray, r"\(type\).*real numbers"),
}


class Failing:
    """As a tensor on another device, or one that is still being differentiated."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


class ElsewhereDLPack:
    def __dlpack__(self, **more):
        raise BufferError("the memory is on a device")

    def __dlpack_device__(self):
        return (2, 0)


class MaskedInside:
    def __array__(self, dtype=None, copy=None):
        return np.ma.array(X, mask=X > 0)


NO_NUMBERS |= {
    "another device": (
        lambda a: Failing(TypeError("can't convert cuda:0")),
        r"\(Failing\).*real numbers: can't convert",
    ),
    "requires gradient": (lambda a: Failing(RuntimeError("use detach()")), r"\(Failing\).*real numbers: use detach"),
    "no NumPy at all": (lambda a: Failing(ValueError("not now")), r"\(Failing\).*real numbers: not now"),
    "DLPack elsewhere": (lambda a: ElsewhereDLPack(), r"\(ElsewhereDLPack\).*real numbers"),
    "masked inside": (lambda a: MaskedInside(), r"\(MaskedInside\).*masked"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("row", NO_NUMBERS)
def test_x_without_real_numbers(row, call):
    make, words = NO_NUMBERS[row]
    refused(call, TypeError, rf"\bx\b.*{words}", x=make(X))


@pytest.mark.parametrize("call", [*COSTING, "normalize"])
@pytest.mark.parametrize("row", NO_NUMBERS)
def test_y_without_real_numbers(row, call):
    make, words = NO_NUMBERS[row]
    refused(call, TypeError, rf"\by\b.*{words}", y=make(Y))


@pytest.mark.parametrize("call", COSTING)
@pytest.mark.parametrize("row", NO_NUMBERS)
def test_weights_without_real_numbers(row, call):
    make, words = NO_NUMBERS[row]
    refused(call, TypeError, rf"sample_weight\b.*{words}", sample_weight=make(W))


@pytest.mark.parametrize("row", ["complex", "text", "masked", "list of None", "requires gradient"])
def test_gradients_without_real_numbers(row):
    make, words = NO_NUMBERS[row]
    trainer = bpnet.Trainer(random_net([3, 4, 2]))
    before = everything_of(trainer.net)
    with pytest.raises(TypeError, match=f"gradient.*{words}"):
        trainer.apply(make(np.ones(26)))
    assert everything_of(trainer.net) == before


@pytest.mark.parametrize("call", ["fit", "trainer.fit"])
@pytest.mark.parametrize("name", ["x", "y", "sample_weight"])
def test_a_mask_is_not_lost_where_a_fraction_is_cut_off(name, call):
    masked = np.ma.array({"x": X, "y": Y, "sample_weight": W}[name])
    refused(call, TypeError, f"{name} is masked", **{name: masked}, validation=0.3)


@pytest.mark.parametrize("name", ["x", "y", "sample_weight"])
def test_none_where_numbers_belong(name):
    if name != "sample_weight":
        for call in COSTING:
            refused(call, TypeError, rf"\b{name}\b is None, but must be an array of real numbers", **{name: None})
    CALLS["fit"](random_net([3, 4, 2], "tanh", "sigmoid"), sample_weight=None, epochs=1)


# ---- shapes and counts -----------------------------------------------------------------------------------------------

SHAPES = [  # argument, its shape, what the complaint says
    ("x", (M, 4), r"x has 4 features.*takes 3"),
    ("x", (M, 0), r"x has 0 features.*takes 3"),
    ("x", (4,), r"x has shape \(4,\).*\(m, 3\).*\(3,\)"),
    ("x", (M, 3, 1), r"x has shape \(7, 3, 1\).*\(m, 3\)"),
    ("x", (1, M, 3), r"x has shape \(1, 7, 3\).*\(m, 3\)"),
    ("x", (), r"x has shape \(\).*\(m, 3\)"),
    ("y", (M, 3), r"y has shape \(7, 3\).*\(7, 2\)"),
    ("y", (M,), r"y has shape \(7,\).*\(7, 2\)"),
    ("y", (M, 2, 1), r"y has shape \(7, 2, 1\).*\(7, 2\)"),
    ("y", (), r"y has shape \(\).*\(7, 2\)"),
    ("y", (M - 1, 2), r"y has 6 samples, but x has 7"),
    ("y", (0, 2), r"y has 0 samples, but x has 7"),
    ("sample_weight", (M - 1,), r"sample_weight has shape \(6,\).*\(7,\)"),
    ("sample_weight", (M, 1), r"sample_weight has shape \(7, 1\).*\(7,\)"),
    ("sample_weight", (1, M), r"sample_weight has shape \(1, 7\).*\(7,\)"),
    ("sample_weight", (), r"sample_weight has shape \(\).*\(7,\)"),
]


@pytest.mark.parametrize("call", COSTING)
@pytest.mark.parametrize(("name", "shape", "words"), SHAPES, ids=str)
def test_shapes(name, shape, words, call):
    refused(call, ValueError, words, **{name: np.ones(shape)})


@pytest.mark.parametrize("call", ["predict", "call", "forward"])
@pytest.mark.parametrize(("name", "shape", "words"), [row for row in SHAPES if row[0] == "x"], ids=str)
def test_shapes_of_what_is_predicted(name, shape, words, call):
    refused(call, ValueError, words, x=np.ones(shape))


@pytest.mark.parametrize(("shape", "words"), [((M, 4), r"\(7, 4\)"), ((3,), r"\(3,\)"), ((0, 3), r"\(0, 3\)")])
def test_shapes_of_what_is_standardised(shape, words):
    refused("normalize", ValueError, rf"x has shape {words}, but must have \(m, 3\) with m >= 1", x=np.ones(shape))


@pytest.mark.parametrize("call", COSTING)
def test_no_samples(call):
    refused(call, ValueError, "x has 0 samples.*at least 1", x=X[:0], y=Y[:0])


def test_a_complaint_about_validation_says_so():
    for more, words in (
        ({"x": X[:, :2]}, "validation x has 2 features"),
        ({"y": Y[:3]}, "validation y has 3 samples"),
        ({"x": X[:0], "y": Y[:0]}, "validation x has 0 samples"),
        ({"sample_weight": -W}, r"validation sample_weight\[0\] is -1"),
        ({"sample_weight": 0 * W}, "validation sample_weight sums to 0"),
        ({"x": X * np.nan}, "validation x has nan in row 0, column 0"),
        ({"y": Y.astype(str)}, "validation y has dtype"),
    ):
        error = TypeError if "dtype" in words else ValueError
        refused("validation", error, words, **more)


# ---- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", FITTING)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("name", ["x", "y", "sample_weight"])
def test_what_is_not_finite_is_named_with_its_row(name, bad, call):
    """1e39 is a number, but none in float32, which this network computes in."""
    values = {"x": X, "y": Y, "sample_weight": W}[name].copy()
    values[5] = bad
    net = random_net([3, 4, 2], "tanh", "sigmoid", dtype="float32")
    where = r"sample_weight\[5\] is (nan|-?inf)" if name == "sample_weight" else rf"\b{name} has -?(nan|inf) in row 5"
    refused(call, ValueError, where, net=net, **{name: values})


@pytest.mark.parametrize("call", COSTING)
@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1, 1, 1, -1e-9, 1, 1, 1], r"sample_weight\[3\] is -.*not negative"),
        (np.array([1, 1, 1, 1, -3, 1, 1], np.int8), r"sample_weight\[4\] is -3.*not negative"),
        ([1, 1, np.nan, 1, 1, 1, 1], r"sample_weight\[2\] is nan.*finite"),
        ([1e308] * 7, "sample_weight sums to more"),
    ],
    ids=["negative", "negative int", "nan", "sum"],
)
def test_weights(weights, words, call):
    refused(call, ValueError, words, sample_weight=weights)


@pytest.mark.parametrize("call", ["cost", "gradient", "fit", "trainer.fit", "validation"])
@pytest.mark.parametrize("zeros", [np.zeros(M), np.zeros(M, bool), [-0.0] * M])
def test_weights_of_nothing_but_zero(zeros, call):
    """There is nothing to take a mean of. A step, and a minibatch of fit, are skipped instead."""
    refused(call, ValueError, "sample_weight sums to 0", sample_weight=zeros)
    net = random_net([3, 4, 2])
    before = everything_of(net)
    assert bpnet.Trainer(net).step(X, Y, zeros) == 0
    assert everything_of(net) == before


@pytest.mark.parametrize("call", ["cost", "gradient", "fit", "trainer.fit"])
@pytest.mark.parametrize(
    ("label", "dtype"), [(3, "int64"), (-1, "int8"), (2**31, "uint32"), (2**64 - 1, "uint64"), (-(2**63), "int64")]
)
def test_labels_out_of_range(label, dtype, call):
    labels = np.zeros(M, dtype)
    labels[4] = label
    net = random_net([3, 4, 3], "tanh", "softmax")
    calls = {"fit": net.fit, "trainer.fit": bpnet.Trainer(net, cost="cross_entropy").fit}
    before = everything_of(net)
    with pytest.raises(ValueError, match=r"y\[4\] is .*class labels go from 0 to 2"):
        if call == "trainer.fit":
            calls[call](X, labels)
        else:
            getattr(net, call)(X, labels, cost="cross_entropy")
    assert everything_of(net) == before


@pytest.mark.parametrize("kind", ["bool", "float64", "complex64", "datetime64[s]", "U1"])
def test_labels_are_integers(kind):
    net = random_net([3, 4, 3], "tanh", "softmax")
    with pytest.raises(TypeError, match=r"y has .*(integer class labels|real numbers)"):
        net.fit(X, np.zeros(M, int).astype(kind), cost="cross_entropy")


@pytest.mark.parametrize("of", ["fit", "validation"])
@pytest.mark.parametrize("label", [2**40, -5, 3])
def test_labels_that_a_callback_spoils(label, of):
    """They were right when fit began. The network is as after the last finished step."""
    labels = np.arange(M) % 3
    nets = [random_net([3, 4, 3], "tanh", "softmax") for _ in range(2)]

    def spoil(trainer, epoch, history):
        if epoch == 1:
            labels[2] = label

    given = {"validation": (X, labels)} if of == "validation" else {}
    y = labels if of == "fit" else labels.copy()
    name = "validation y" if of == "validation" else "y"
    with pytest.raises(ValueError, match=rf"^{name}\[2\] is .*go from 0 to 2"):
        nets[0].fit(X, y, cost="cross_entropy", epochs=5, callback=spoil, **given)
    nets[1].fit(X, np.arange(M) % 3, cost="cross_entropy", epochs=2)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)


# ---- out -------------------------------------------------------------------------------------------------------------


def read_only(a):
    a.flags.writeable = False
    return a


OUT = {
    "rows": (lambda: np.zeros((M - 1, 2)), ValueError, r"shape \(6, 2\).*\(7, 2\)"),
    "columns": (lambda: np.zeros((M, 3)), ValueError, r"shape \(7, 3\).*\(7, 2\)"),
    "axes": (lambda: np.zeros((M, 2, 1)), ValueError, r"shape \(7, 2, 1\).*\(7, 2\)"),
    "one sample": (lambda: np.zeros(2), ValueError, r"shape \(2,\).*\(7, 2\)"),
    "flat": (lambda: np.zeros(2 * M), ValueError, r"shape \(14,\).*\(7, 2\)"),
    "float32": (lambda: np.zeros((M, 2), "float32"), TypeError, "dtype float32.*float64"),
    "integers": (lambda: np.zeros((M, 2), int), TypeError, "dtype int64.*float64"),
    "byte order": (lambda: np.zeros((M, 2), np.dtype("f8").newbyteorder()), TypeError, "dtype .f8.*float64"),
    "objects": (lambda: np.zeros((M, 2), object), TypeError, "dtype object.*float64"),
    "Fortran": (lambda: np.zeros((M, 2), order="F"), ValueError, "C-contiguous"),
    "sliced": (lambda: np.zeros((M, 4))[:, ::2], ValueError, "C-contiguous"),
    "backwards": (lambda: np.zeros((M, 2))[::-1], ValueError, "C-contiguous"),
    "broadcast": (lambda: np.broadcast_to(np.zeros(2), (M, 2)), ValueError, "C-contiguous"),
    "read-only": (lambda: read_only(np.zeros((M, 2))), ValueError, "read-only"),
    "unaligned": (lambda: np.zeros(16 * M + 1, "u1")[1:].view("f8").reshape(M, 2), ValueError, "aligned"),
    "masked": (lambda: np.ma.zeros((M, 2)), TypeError, "masked"),
    "a list": (lambda: [[0.0, 0.0]] * M, TypeError, "out is a list.*NumPy array"),
    "a memoryview": (lambda: memoryview(np.zeros((M, 2))), TypeError, "out is a memoryview.*NumPy array"),
    "a number": (lambda: 0, TypeError, "out is a int.*NumPy array"),
}


@pytest.mark.parametrize("call", ["predict", "call"])
@pytest.mark.parametrize("row", OUT)
def test_out(row, call):
    make, error, words = OUT[row]
    out = make()
    refused(call, error, f"(?=out).*{words}", out=out)
    assert not np.any(np.asarray(out))  # nothing was written


@pytest.mark.parametrize("holder", [np.asarray, memoryview, lambda a: a[::-1], lambda a: a.view(np.recarray)])
@pytest.mark.parametrize("start", [0, 1, 6])
def test_out_that_overlaps_x(start, holder):
    net = random_net([3, 4, 2])
    memory = np.linspace(-1, 1, 100)
    kept = bits(memory)
    x = memory[start : start + 21].reshape(M, 3)
    with pytest.raises(ValueError, match="out shares memory with x"):
        net.predict(holder(x), out=memory[6:20].reshape(M, 2))
    assert bits(memory) == kept
    net.predict(x, out=memory[start + 21 : start + 35].reshape(M, 2))  # side by side is fine


def test_out_within_the_parameters():
    net = random_net([3, 4, 2])
    before = everything_of(net)
    for out in (net.parameters[:14], net.parameters[3:17], net.parameters[-14:]):
        with pytest.raises(ValueError, match="out shares memory with the network's parameters"):
            net.predict(X, out=out.reshape(M, 2))
    with pytest.raises(ValueError, match="out shares memory with the network's parameters"):
        net.predict(X[0], out=net.biases[1])
    assert everything_of(net) == before


# ---- what a cost of one's own may give back --------------------------------------------------------------------------

OWN_COSTS = {
    "nothing": (lambda a, y: None, TypeError, "tuple"),
    "three": (lambda a, y: (a, a, a), TypeError, "tuple"),
    "one number": (lambda a, y: (1.0, a), ValueError, r"per-sample cost has shape \(\).*\(7,\)"),
    "a row of slopes": (lambda a, y: (a[:, 0], a[0]), ValueError, r"d cost / d a has shape \(2,\).*\(7, 2\)"),
    "complex": (lambda a, y: (a[:, 0], 1j * a), TypeError, "d cost / d a has dtype complex"),
    "masked": (lambda a, y: (np.ma.array(a[:, 0]), a), TypeError, "per-sample cost is masked"),
    "text": (lambda a, y: (["low"] * len(a), a), TypeError, "per-sample cost .*dtype <U3"),
    "of one argument": (lambda a: (a, a), TypeError, "argument"),
}


@pytest.mark.parametrize("call", ["cost", "gradient", "fit"])
@pytest.mark.parametrize("row", OWN_COSTS)
def test_costs_of_ones_own(row, call):
    cost, error, words = OWN_COSTS[row]
    refused(call, error, words, cost=cost)
