"""The optimizers, their penalties and schedules, step by step against plain NumPy."""

import itertools

import bpnet
import numpy as np
import pytest
import reference
from nets import bits
from small_problem import batches, make, samples

RTOL = 1e-10  # 30 steps of a few eps each; Adam's first steps divide by tiny roots


@pytest.fixture
def data():
    return samples()


# ---- the optimizers, as the equations have them: each gives a function (theta, g, t) -> theta ------------------------


def sgd(eta=1e-3, mu=0.0, nesterov=False):  # (O1)
    v = 0

    def step(theta, g, t):
        nonlocal v
        v = mu * v + g
        return theta - eta * (g + mu * v if nesterov else v)

    return step


def rmsprop(eta=0.01, rho=0.99, eps=1e-8):  # (O2)
    s = 0

    def step(theta, g, t):
        nonlocal s
        s = rho * s + (1 - rho) * g**2
        return theta - eta * g / (np.sqrt(s) + eps)

    return step


def adam(eta=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.0):  # (O3), (O4)
    m = v = 0

    def step(theta, g, t):
        nonlocal m, v
        theta = theta - eta * decay * theta
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        return theta - eta * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)

    return step


def loop(net, steps, x, y, penalty=lambda theta: 0):
    """30 minibatches in order, in NumPy: the parameters afterwards and the costs before each update."""
    theta, costs = net.parameters.copy(), []
    shapes = [(W.shape, len(b)) for W, b in zip(net.weights, net.biases, strict=True)]
    for t, (a, b) in enumerate(batches(x, y, epochs=8)[:30], start=1):
        weights, biases, rest = [], [], theta
        for shape, n in shapes:
            weights.append(rest[: shape[0] * shape[1]].reshape(shape, order="F"))
            biases.append(rest[shape[0] * shape[1] :][:n])
            rest = rest[shape[0] * shape[1] + n :]
        g = reference.gradient(weights, biases, net.activations, a, b)
        costs.append(g["cost"])
        theta = steps(theta, reference.flatten(g["weights"], g["biases"]) + penalty(theta), t)
    return theta, costs


ROWS = {  # ours, and how to begin the plain one
    "sgd by name": ("sgd", sgd),
    "sgd": (bpnet.SGD(learning_rate=0.5), lambda: sgd(0.5)),
    "momentum": (bpnet.SGD(learning_rate=0.1, momentum=0.9), lambda: sgd(0.1, 0.9)),
    "nesterov": (bpnet.SGD(learning_rate=0.1, momentum=0.9, nesterov=True), lambda: sgd(0.1, 0.9, True)),
    "rmsprop by name": ("rmsprop", rmsprop),
    "rmsprop": (bpnet.RMSProp(learning_rate=0.02, rho=0.8, eps=1e-3), lambda: rmsprop(0.02, 0.8, 1e-3)),
    "adam by name": ("adam", adam),
    "adam": (bpnet.Adam(learning_rate=0.02, beta1=0.7, beta2=0.9, eps=1e-4), lambda: adam(0.02, 0.7, 0.9, 1e-4)),
    "adamw by name": ("adamw", lambda: adam(decay=0.01)),
    "adamw": (bpnet.AdamW(learning_rate=0.02, weight_decay=0.3), lambda: adam(0.02, decay=0.3)),
}


@pytest.mark.parametrize("row", ROWS)
def test_optimizers(row, data):
    optimizer, steps = ROWS[row]
    net = make()
    want, costs = loop(net, steps(), *data)
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer=optimizer)
    got = [trainer.step(a, b) for a, b in batches(*data, epochs=8)[:30]]
    np.testing.assert_allclose(net.parameters, want, rtol=RTOL, atol=1e-13)
    np.testing.assert_allclose(got, costs, rtol=RTOL)
    assert trainer.steps == 30
    assert all(type(c) is float for c in got)


def on_weights(function):
    """A penalty's gradient on the flat vector of SIZES, where it leaves biases alone."""
    mask = reference.flatten([np.ones((5, 3)), np.ones((2, 5))], [np.zeros(5), np.zeros(2)])
    return lambda theta: mask * function(theta)


PENALTIES = {
    "l1": ({"l1": 0.01}, on_weights(lambda theta: 0.01 * np.sign(theta))),
    "l2": ({"l2": 0.1}, on_weights(lambda theta: 0.1 * theta)),
    "both": ({"l1": 0.01, "l2": 0.1}, on_weights(lambda theta: 0.01 * np.sign(theta) + 0.1 * theta)),
    "biases too": ({"l2": 0.1, "penalize_biases": True}, lambda theta: 0.1 * theta),
}


@pytest.mark.parametrize("row", PENALTIES)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_penalties(row, optimizer, data):
    options, penalty = PENALTIES[row]
    made, steps = {"sgd": (bpnet.SGD(learning_rate=0.5), sgd(0.5)), "adam": (bpnet.Adam(), adam())}[optimizer]
    net = make()
    want, costs = loop(net, steps, *data, penalty)
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer=made, **options)
    got = [trainer.step(a, b) for a, b in batches(*data, epochs=8)[:30]]
    np.testing.assert_allclose(net.parameters, want, rtol=RTOL, atol=1e-13)
    np.testing.assert_allclose(got, costs, rtol=RTOL)  # the penalty is no part of it


def test_decay_may_leave_biases_alone(data):
    net = make()
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer=bpnet.AdamW(weight_decay=0.5, decay_biases=False))
    before = net.copy()
    trainer.apply(np.zeros(net.n_parameters))
    for ours, theirs in zip(net.weights, before.weights, strict=True):
        np.testing.assert_allclose(ours, theirs * (1 - 1e-3 * 0.5), rtol=1e-15)
    for ours, theirs in zip(net.biases, before.biases, strict=True):
        assert bits(ours) == bits(theirs)


SCHEDULES = {
    "exponential": (bpnet.ExponentialDecay(initial=0.5, rate=0.25, steps=4), lambda t: 0.5 * 0.25 ** (t / 4)),
    "step": (bpnet.StepDecay(initial=0.5, factor=0.1, steps=3), lambda t: 0.5 * 0.1 ** (t // 3)),
    "cosine": (
        bpnet.CosineDecay(initial=0.5, final=0.1, steps=6),
        lambda t: 0.1 + 0.4 * (1 + np.cos(np.pi * min(t / 6, 1))) / 2,
    ),
}


@pytest.mark.parametrize("row", SCHEDULES)
def test_schedules(row):
    """A gradient of ones moves every parameter by eta(t), t = 0, 1, ..."""
    schedule, eta = SCHEDULES[row]
    net = bpnet.Network([2, 2], init="zeros", dtype="float64")
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer=bpnet.SGD(learning_rate=schedule))
    for t in range(12):
        before = net.parameters.copy()
        trainer.apply(np.ones(6))
        # theta is near 2: eps of that
        np.testing.assert_allclose(before - net.parameters, eta(t), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
def test_float32_follows_float64(optimizer, data):
    nets = [make(dtype=t) for t in ("float32", "float64")]
    nets[1].parameters[...] = nets[0].parameters
    for net in nets:
        net.fit(*data, optimizer=optimizer, epochs=5, batch_size=10, shuffle=False)
    np.testing.assert_allclose(
        nets[0].parameters, nets[1].parameters, atol=1e-5
    )  # 15 steps of 1e-3 to 1e-2, each to 1e-7 or so


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [bpnet.Adam(), bpnet.Adam(beta1=0.0, beta2=0.0), bpnet.Adam(beta2=1 - 1e-9)])
def test_means_of_equal_gradients_are_the_gradient(optimizer, dtype):
    """m^ = g and sqrt(v^) = |g|, so that every step is eta, from the first on: also where beta2 rounds to 1."""
    net = bpnet.Network([4, 6, 3], dtype=dtype, seed=0)
    net.parameters[...] = 0
    trainer = bpnet.Trainer(net, optimizer=optimizer)
    g = np.array([0.3, -7.0, 1e-3] * (net.n_parameters // 3), dtype)
    for t in range(1, 30):
        trainer.apply(g)
        wanted = -1e-3 * t * np.sign(g) * (np.abs(g) / (np.abs(g) + 1e-8))
        rtol = 8 * np.finfo(dtype).eps + 1e-16 * t / (1 - optimizer.beta2)  # 1 - beta2^t has so many digits
        np.testing.assert_allclose(net.parameters, wanted, rtol=rtol)


@pytest.mark.parametrize(
    ("schedule", "eta"),
    [
        (bpnet.ExponentialDecay(initial=0.0, rate=10.0, steps=1), [0, 0]),
        (bpnet.StepDecay(initial=0.0, factor=10.0, steps=1), [0, 0]),
        (bpnet.ExponentialDecay(initial=1.0, rate=5e-324, steps=1000), [1, 0]),
        (bpnet.StepDecay(initial=1.0, factor=5e-324, steps=1000), [1, 0]),
    ],
)
def test_schedules_at_the_ends_of_the_numbers(schedule, eta):
    """0 times whatever is 0, and nothing to the power of 0 is 1: no rate is a NaN, however many steps come."""
    net = bpnet.Network([1, 1], output_activation="identity", init="zeros", dtype="float64")
    trainer = bpnet.Trainer(net, optimizer=bpnet.SGD(learning_rate=schedule))
    trainer.apply(np.ones(2))
    assert net.parameters[0] == -eta[0]
    for _ in range(1000):
        trainer.apply(np.zeros(2))
    before = net.parameters[0]
    trainer.apply(np.ones(2))
    assert before - net.parameters[0] == pytest.approx(eta[1], abs=1e-12)


def test_optimizers_and_schedules_are_immutable_and_keyword_only():
    for made, name in ((bpnet.Adam(), "beta1"), (bpnet.StepDecay(initial=1.0, factor=0.5, steps=3), "steps")):
        with pytest.raises(AttributeError):
            setattr(made, name, 0.5)
        assert made == type(made)(**{n: getattr(made, n) for n in made.__slots__})
        assert eval(repr(made)) == made
    for kind, number in itertools.product((bpnet.SGD, bpnet.Adam, bpnet.RMSProp, bpnet.AdamW), (0.1,)):
        with pytest.raises(TypeError):
            kind(number)
