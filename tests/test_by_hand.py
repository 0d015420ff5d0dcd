"""Worked by hand: every number below was found with pencil and paper, from sigmoid(ln 3) = 3/4 and sigmoid(0) = 1/2."""

import bpnet
import numpy as np
import pytest
from nets import build

LN3 = np.log(3)
X, Y = np.array([1.0, 2.0]), np.array([0.25])
WEIGHTS = [np.array([[1, -0.5], [0.5, 0.25]]), np.array([[2.0, -1]])]
BIASES = [np.array([LN3, -1]), np.array([LN3 - 1])]

# W^1 x = (0, 1), so z^1 = (ln 3, 0), a^1 = (3/4, 1/2), f'(z^1) = (3/16, 1/4)
# W^2 a^1 = 1, so z^2 = ln 3, a^2 = 3/4, f'(z^2) = 3/16, C = 1/2 (3/4 - 1/4)^2 = 1/8
COST = 1 / 8
ACTIVATIONS_GRAD = [[3 / 128, -3 / 128], [3 / 16, -3 / 32], [1 / 2]]  # (BP5); the last is a - y
DELTAS = [[9 / 256, -3 / 128], [3 / 32]]  # (BP2), (BP1)
WEIGHTS_GRAD = [[[9 / 256, 9 / 128], [-3 / 128, -3 / 64]], [[9 / 128, 3 / 64]]]  # (BP3)
FLAT = [9 / 256, -3 / 128, 9 / 128, -3 / 64, 9 / 256, -3 / 128, 9 / 128, 3 / 64, 3 / 32]

# ln 3 is rounded, and a handful of operations follow: 16 eps
same = lambda got, want, dtype="float64": np.testing.assert_allclose(got, want, rtol=16 * np.finfo(dtype).eps)  # noqa: E731


@pytest.fixture(params=["float32", "float64"])
def net(request):
    return build(WEIGHTS, BIASES, ["sigmoid", "sigmoid"], request.param)


def test_forward(net):
    forward = net.forward(X)
    np.testing.assert_allclose(forward.z[0], [LN3, 0], atol=4 * np.finfo(net.dtype).eps)
    same(forward.z[1], [LN3], net.dtype)
    same(forward.a[0], X, net.dtype)
    same(forward.a[1], [3 / 4, 1 / 2], net.dtype)
    same(forward.a[2], [3 / 4], net.dtype)
    same(net.predict(X), [3 / 4], net.dtype)
    same(net.cost(X, Y), COST, net.dtype)


def test_backward(net):
    g = net.gradient(X, Y, wrt=("parameters", "x", "layers"))
    same(g.cost, COST, net.dtype)
    for got, want in zip(g.deltas, DELTAS, strict=True):
        same(got, want, net.dtype)
    for got, want in zip(g.activations, ACTIVATIONS_GRAD, strict=True):
        same(got, want, net.dtype)
    for got, want in zip(g.weights, WEIGHTS_GRAD, strict=True):
        same(got, want, net.dtype)
    for got, want in zip(g.biases, DELTAS, strict=True):  # (BP4)
        same(got, want, net.dtype)
    same(g.x, ACTIVATIONS_GRAD[0], net.dtype)
    same(g.flat, FLAT, net.dtype)


def test_mean_and_sum_over_two_samples(net):
    """The second sample meets its target: its cost and gradient are 0."""
    x, y = np.array([X, X]), np.array([Y, [0.75]])
    mean = net.gradient(x, y)
    same(mean.cost, COST / 2, net.dtype)
    np.testing.assert_allclose(mean.flat, np.divide(FLAT, 2), rtol=1e-4 if net.dtype == np.float32 else 1e-13)
    same(net.gradient(x, y, reduction="sum").cost, COST, net.dtype)
    same(net.gradient(x, y, sample_weight=[3, 1]).cost, COST * 3 / 4, net.dtype)


def test_one_step_of_gradient_descent(net):
    net = net.copy()
    before = net.parameters.copy()
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer=bpnet.SGD(learning_rate=2.0))
    same(trainer.step(X[None], Y[None]), COST, net.dtype)
    np.testing.assert_allclose(net.parameters, before - 2 * np.array(FLAT), atol=4 * np.finfo(net.dtype).eps)


def test_softmax_with_cross_entropy():
    """z = (ln 1, ln 2, ln 5): a = (1, 2, 5) / 8."""
    net = build([np.eye(3)], [np.zeros(3)], ["softmax"])
    z = np.log([1.0, 2, 5])
    same(net.predict(z), [1 / 8, 1 / 4, 5 / 8])
    for y in ([0.0, 0, 1], 2):  # one-hot, and as a label
        g = net.gradient(z, y, cost="cross_entropy", wrt=("parameters", "layers"))
        same(g.cost, np.log(8 / 5))
        same(g.deltas[0], [1 / 8, 1 / 4, -3 / 8])
        same(g.activations[1], [0, 0, -8 / 5])


def test_sigmoid_with_binary_cross_entropy():
    net = build([np.eye(2)], [np.zeros(2)], ["sigmoid"])
    g = net.gradient([LN3, -LN3], [1.0, 1.0], cost="binary_cross_entropy", wrt="layers")
    same(g.cost, np.log(4 / 3) + np.log(4))
    same(g.deltas[0], [-1 / 4, -3 / 4])
    same(g.activations[1], [-4 / 3, -4])


@pytest.mark.parametrize(
    ("cost", "value", "slope"),
    [  # a = 3, y = 1 and a = 1/2, y = 1
        ("quadratic", 2 + 1 / 8, [2, -1 / 2]),
        ("absolute", 2 + 1 / 2, [1, -1]),
        ("huber", 3 / 2 + 1 / 8, [1, -1 / 2]),
        (bpnet.Huber(delta=2.0), 2 + 1 / 8, [2, -1 / 2]),
        (bpnet.Huber(delta=0.25), 0.25 * (2 - 0.125) + 0.25 * (0.5 - 0.125), [0.25, -0.25]),
        ("log_cosh", np.log(np.cosh(2)) + np.log(np.cosh(0.5)), [np.tanh(2), -np.tanh(0.5)]),
        ("quantile", 1 + 1 / 4, [1 / 2, -1 / 2]),
        (bpnet.Quantile(q=0.75), 2 / 4 + 3 / 8, [1 / 4, -3 / 4]),
    ],
    ids=str,
)
def test_costs(cost, value, slope):
    net = build([np.eye(2)], [np.zeros(2)], ["identity"])
    g = net.gradient([3, 0.5], [1.0, 1.0], cost=cost, wrt="layers")
    same(g.cost, value)
    same(g.deltas[0], slope)


def test_poisson():
    net = build([np.eye(2)], [np.zeros(2)], ["relu"])
    g = net.gradient([2, 0.5], [1.0, 2.0], cost="poisson", wrt="layers")
    same(g.cost, 2 - np.log(2) + 0.5 + 2 * np.log(2))
    same(g.deltas[0], [1 / 2, -3])
