"""Options out of range, of the wrong type or unknown: each complaint names the option, its value and what it may be."""

import fractions

import bpnet
import numpy as np
import pytest
from nets import random_net

M = 7
X, Y = np.linspace(-1, 1, 3 * M).reshape(M, 3), np.full((M, 2), 0.5)

REALS = {  # what takes a number: how, its name, and numbers out of its range
    "SGD learning_rate": (lambda v: bpnet.SGD(learning_rate=v), "learning_rate", [-1]),
    "SGD momentum": (lambda v: bpnet.SGD(momentum=v), "momentum", [-0.1, 1]),
    "Adam learning_rate": (lambda v: bpnet.Adam(learning_rate=v), "learning_rate", [-1]),
    "Adam beta1": (lambda v: bpnet.Adam(beta1=v), "beta1", [-0.1, 1]),
    "Adam beta2": (lambda v: bpnet.Adam(beta2=v), "beta2", [-0.1, 1]),
    "Adam eps": (lambda v: bpnet.Adam(eps=v), "eps", [-1, 0]),
    "AdamW weight_decay": (lambda v: bpnet.AdamW(weight_decay=v), "weight_decay", [-1]),
    "RMSProp rho": (lambda v: bpnet.RMSProp(rho=v), "rho", [-0.1, 1]),
    "RMSProp eps": (lambda v: bpnet.RMSProp(eps=v), "eps", [-1, 0]),
    "Huber delta": (lambda v: bpnet.Huber(delta=v), "delta", [-1, 0]),
    "Quantile q": (lambda v: bpnet.Quantile(q=v), "q", [-0.1, 0, 1]),
    "Normal std": (lambda v: bpnet.Normal(std=v), "std", [-1]),
    "StepDecay factor": (lambda v: bpnet.StepDecay(initial=0.1, factor=v, steps=5), "factor", [-1]),
    "CosineDecay initial": (lambda v: bpnet.CosineDecay(initial=v, steps=5), "initial", [-1]),
    "fit l1": (lambda v: random_net([3, 4, 2]).fit(X, Y, l1=v, epochs=1), "l1", [-1e-9]),
    "fit l2": (lambda v: random_net([3, 4, 2]).fit(X, Y, l2=v, epochs=1), "l2", [-1e-9]),
    "Trainer l2": (lambda v: bpnet.Trainer(random_net([3, 4, 2]), l2=v), "l2", [-1e-9]),
    "validation": (lambda v: random_net([3, 4, 2]).fit(X, Y, validation=v, epochs=1), "validation", [-0.5, 0, 1, 2]),
}
WHOLE = {  # what takes a whole number, and the least
    "epochs": (lambda v: random_net([3, 4, 2]).fit(X, Y, epochs=v), 0),
    "batch_size": (lambda v: random_net([3, 4, 2]).fit(X, Y, batch_size=v, epochs=1), 1),
    "threads": (lambda v: random_net([3, 4, 2]).fit(X, Y, threads=v, epochs=1), 1),
    "prefetch": (lambda v: bpnet.Trainer(random_net([3, 4, 2])).fit_batches(iter([(X, Y)]), prefetch=v), 0),
    "steps": (lambda v: bpnet.StepDecay(initial=0.1, factor=0.5, steps=v), 1),
    "sizes": (lambda v: bpnet.Network([v, 2]), 1),
}
HUGE = {"epochs", "threads", "sizes"}  # accepting 2**62 of these would take its time


@pytest.mark.parametrize("row", REALS)
def test_real_options(row):
    use, name, beyond = REALS[row]
    for value in (np.nan, np.inf, -np.inf, 10**400, *beyond):
        with pytest.raises(ValueError, match=rf"{name} is .*, but must be a finite number"):
            use(value)
    for value in (None, "0.5", True, np.True_, 0.5j, [0.5], np.array([0.5]), np.datetime64("2000"), object()):
        if (name, value) == ("validation", None) or (name == "validation" and isinstance(value, list)):
            continue
        with pytest.raises(TypeError, match=rf"{name} is .*, but must be"):
            use(value)
    for value in (0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5), np.longdouble(0.5), fractions.Fraction(1, 2)):
        use(value)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_options(name):
    use, least = WHOLE[name]
    for value in (least - 1, -(2**80), 2**63, 2**80, np.int8(least - 1)):
        with pytest.raises(ValueError, match=rf"{name}.* is .*, but must be"):
            use(value)
    for value in ("2", 2.0, np.float64(2), True, np.False_, 2j, [2], np.array([2])):
        with pytest.raises(TypeError, match=rf"{name}.* is .*, but must be"):
            use(value)
    for value in (2, np.int8(2), np.uint64(2), np.array(2)):
        use(value)
    if name not in HUGE:
        use(2**62)


@pytest.mark.parametrize("value", [0, -3, 1.5, True, "2"])
def test_threads_of_calls(value):
    net = random_net([3, 4, 2])
    error = ValueError if type(value) is int else TypeError
    for use in (net.predict, net, net.forward, lambda x, **more: net.cost(x, Y, **more)):
        with pytest.raises(error, match="threads is .*must be"):
            use(X, threads=value)
    with pytest.raises(error, match="threads is .*must be"):
        net.gradient(X, Y, threads=value)
    net.predict(X, threads=np.int16(2))
    net.gradient(X, Y, threads=np.int16(2))


@pytest.mark.parametrize("name", ["shuffle", "progress", "penalize_biases"])
@pytest.mark.parametrize("value", [None, 1, "yes", [True]])
def test_flags(name, value):
    net = random_net([3, 4, 2])
    with pytest.raises(TypeError, match=rf"{name} is .*, but must be True or False"):
        net.fit(X, Y, **{name: value})


UNKNOWN = {  # a name, nearly right, and what is offered
    "activation": (lambda v: bpnet.Network([3, 4, 2], v), "tanhh", "tanh"),
    "activation in a list": (lambda v: bpnet.Network([3, 4, 4, 2], ["tanh", v]), "leakyrelu", "leaky_relu"),
    "activation elsewhere": (lambda v: bpnet.Network([3, 4, 2], v), "swish", "silu"),
    "output_activation": (lambda v: bpnet.Network([3, 2], output_activation=v), "Soft-Max", "softmax"),
    "output_activation elsewhere": (lambda v: bpnet.Network([3, 2], output_activation=v), "linear", "identity"),
    "init": (lambda v: bpnet.Network([3, 2], init=v), "he_norml", "he_normal"),
    "bias_init": (lambda v: bpnet.Network([3, 2], bias_init=v), "zero", "zeros"),
    "cost": (lambda v: random_net([3, 2]).cost(X, Y, v), "quadratc", "quadratic"),
    "cost elsewhere": (
        lambda v: random_net([3, 2], "tanh", "sigmoid").fit(X, Y, cost=v),
        "bce",
        "binary_cross_entropy",
    ),
    "optimizer": (lambda v: random_net([3, 2]).fit(X, Y, optimizer=v), "rms_prop", "rmsprop"),
    "reduction": (lambda v: random_net([3, 2]).gradient(X, Y, reduction=v), "means", "mean"),
    "wrt": (lambda v: random_net([3, 2]).gradient(X, Y, wrt=v), "params", "parameters"),
    "wrt in a tuple": (lambda v: random_net([3, 2]).gradient(X, Y, wrt=("x", v)), "layer", "layers"),
}


@pytest.mark.parametrize("row", UNKNOWN)
def test_unknown_names(row):
    """The nearest known one is offered, and all are listed; what resembles none is not guessed at."""
    use, wrong, offered = UNKNOWN[row]
    name = row.split()[0]
    with pytest.raises(ValueError, match=rf"{name}\S* '{wrong}' is not known; did you mean '{offered}'\? Known: .*, "):
        use(wrong)
    with pytest.raises(ValueError, match=rf"{name}\S* 'qqqq' is not known\. Known: .*{offered}"):
        use("qqqq")
    for value in (3, b"tanh", 2.5):
        with pytest.raises(TypeError, match=rf"{name}\S* is .*, but must be"):
            use(value)
    use(np.str_(offered))  # a str all the same


@pytest.mark.parametrize("wrong", ["float16", "float23", "int64", ">f8", "longdouble", "complex128", "object"])
def test_dtypes(wrong):
    net = random_net([3, 2])
    for use in (lambda: bpnet.Network([3, 2], dtype=wrong), lambda: net.astype(wrong)):
        with pytest.raises(ValueError, match=r"dtype is .*, but must be float32 or float64"):
            use()


SIZES = {
    "nothing": ([], ValueError, r"sizes is \[\].*at least two"),
    "not even one layer": ([3], ValueError, r"sizes is \[3\].*at least two"),
    "zero width": ([3, 0, 2], ValueError, r"sizes\[1\] is 0.*at least 1"),
    "no inputs": ([0, 2], ValueError, r"sizes\[0\] is 0.*at least 1"),
    "negative": ([3, 4, -2], ValueError, r"sizes\[2\] is -2.*at least 1"),
    "past 64 bits": ([3, 2**64], ValueError, r"sizes\[1\] is 18446744073709551616.*less than 2\*\*63"),
    "product past 64 bits": ([2**32, 2**32], ValueError, "4294967296.*more than memory can hold"),
    "bytes past 64 bits": ([2**30, 2**31], ValueError, "2147483648.*more than memory can hold"),
    "sum past 64 bits": ([2**31 - 1] * 4, ValueError, "2147483647.*more than memory can hold"),
    "no such memory": ([2**30, 2**20], MemoryError, r"sizes is \[1073741824, 1048576\].*1,125,899,907,891,200 param"),
    "fraction": ([3, 2.0], TypeError, r"sizes\[1\] is 2.0.*whole number"),
    "text": ([3, "2"], TypeError, r"sizes\[1\] is '2'.*whole number"),
    "bool": ([3, True], TypeError, r"sizes\[1\] is True.*whole number"),
    "nested": ([[3, 2]], TypeError, r"sizes\[0\] is \[3, 2\].*whole number"),
    "a number": (3, TypeError, "sizes is 3.*sequence of ints"),
    "None": (None, TypeError, "sizes is None.*sequence of ints"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", SIZES)
def test_sizes(row, dtype):
    sizes, error, words = SIZES[row]
    if row == "bytes past 64 bits" and dtype == "float32":
        sizes = [2**31, 2**30]
    with pytest.raises(error, match=words):
        bpnet.Network(sizes, dtype=dtype)


@pytest.mark.parametrize("kind", [bpnet.Adam, bpnet.AdamW, bpnet.RMSProp])
def test_an_eps_that_vanishes_in_float32(kind):
    net = bpnet.Network([2, 1], seed=0)
    with pytest.raises(ValueError, match="eps of the optimizer is 1e-60, which is 0 in float32"):
        bpnet.Trainer(net, optimizer=kind(eps=1e-60))
    bpnet.Trainer(net.astype("float64"), optimizer=kind(eps=1e-60))
