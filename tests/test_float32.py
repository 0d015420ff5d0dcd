"""float32 against our own float64: a small multiple of depth * eps in the norm of each array."""

import bpnet
import numpy as np
import oracle
import pytest
from nets import build, dyadic, random_parameters

MULTIPLE = 8  # sums of 8 terms, each rounded; the worst seen is about half of this
EPS = float(np.finfo(np.float32).eps)


def far(got, want):
    assert got.dtype == np.float32
    assert want.dtype == np.float64
    return np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30)


def check(weights, biases, activations, x, y, cost):
    depth = len(weights)
    wrt = ("parameters", "x", "layers")
    small, large = (build(weights, biases, activations, t) for t in ("float32", "float64"))
    g, want = small.gradient(x, y, cost=cost, wrt=wrt), large.gradient(x, y, cost=cost, wrt=wrt)
    bound = MULTIPLE * depth * EPS
    assert far(small.predict(x), large.predict(x)) <= bound
    assert abs(g.cost - want.cost) <= bound * max(abs(want.cost), 1)
    assert far(g.x, want.x) <= bound
    for name in ("weights", "biases", "deltas", "activations"):
        for i, (got, expected) in enumerate(zip(getattr(g, name), getattr(want, name), strict=True)):
            assert far(got, expected) <= bound, (name, i)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("cost", ["quadratic", "huber", "log_cosh", "poisson", "binary_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("activation", oracle.ALL_ACTIVATIONS)
def test_every_activation_with_every_cost(activation, cost, depth):
    rng = np.random.default_rng(depth)
    output = activation if oracle.allowed(activation, cost) else "sigmoid"
    weights, biases = random_parameters(rng, [8] * (depth + 1))
    if activation == "exponential":  # e^(e^(e^z)) otherwise
        weights, biases = [W / 8 for W in weights], [b / 2 for b in biases]
    if output == "gaussian":  # away from z = 0, where 1 - f is 0
        biases[-1] = abs(biases[-1]) / 2 + 1
        weights[-1] = weights[-1] / 4
    if output in ("relu", "hard_sigmoid"):  # off the kinks, where the two precisions may fall on different sides
        weights[-1] /= 4
        biases[-1] = abs(biases[-1]) / 2 + 1
    x = dyadic(rng, (40, 8), 1, 8)
    y = rng.integers(1, 6, (40, 8)) / 64
    y[:, 0] += 1 - y.sum(1)
    check(weights, biases, [activation] * (depth - 1) + [output], x, y, cost)


@pytest.mark.parametrize(
    ("output", "cost"), [("sigmoid", "quadratic"), ("sigmoid", "binary_cross_entropy"), ("softmax", "cross_entropy")]
)
def test_saturated_outputs_that_meet_their_target(output, cost):
    x = np.array([[14.5, -16, -20.25], [17, -14, -15]])
    check([np.eye(3)], [np.zeros(3)], [output], x, np.array([[1.0, 0, 0], [1, 0, 0]]), cost)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_in_gives_nan_out(dtype):
    for activation in oracle.ALL_ACTIVATIONS:
        net = bpnet.Network([2, 3, 2], activation, activation, dtype=dtype, seed=0)
        out = net.predict([[0.5, np.nan], [0.5, 0.25]])
        assert np.isnan(out[0]).all(), activation
        assert np.isfinite(out[1]).all(), activation


INF = np.inf
LIMITS = {  # f(-inf), f(inf)
    "identity": (-INF, INF), "sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, INF), "leaky_relu": (-INF, INF),
    "elu": (-1, INF), "selu": (-1.7580993408473766, INF), "softplus": (0, INF), "softsign": (-1, 1), "gelu": (0, INF),
    "silu": (0, INF), "mish": (0, INF), "hard_sigmoid": (0, 1), "hard_tanh": (-1, 1), "sine": (np.nan, np.nan),
    "gaussian": (0, 0), "exponential": (0, INF),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", LIMITS)
def test_infinity_in_gives_the_limit(activation, dtype):
    net = build([np.ones((1, 1))], [np.zeros(1)], [activation], dtype)
    np.testing.assert_array_equal(net.predict([[-np.inf], [np.inf]]).ravel(), np.array(LIMITS[activation], dtype))
