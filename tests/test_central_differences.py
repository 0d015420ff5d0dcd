"""Central differences: the gradient is the derivative of the number `cost` returns."""

import bpnet
import numpy as np
import oracle
import pytest
from nets import random_net

H = np.cbrt(np.finfo(np.float64).eps)  # 6e-6: truncation O(h^2) and rounding O(eps/h) balance here
ATOL = 1e-8  # both are near 4e-11; third derivatives of up to 100 are allowed for


def differences(f, array):
    """df/d(array), element by element, changing it in place."""
    out = np.empty_like(array)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + H
        up = f()
        array[i] = kept - H
        out[i] = (up - f()) / (2 * H)
        array[i] = kept
    return out


def check(net, x, y, **options):
    g = net.gradient(x, y, wrt=("parameters", "x"), **options)
    cost = lambda: net.cost(x, y, **options)  # noqa: E731
    np.testing.assert_allclose(g.flat, differences(cost, net.parameters), atol=ATOL)
    np.testing.assert_allclose(g.x, differences(cost, x), atol=ATOL)
    assert g.cost == cost()


def problem(m=5, inputs=3, outputs=2):
    rng = np.random.default_rng(1)
    y = rng.uniform(0.1, 0.9, (m, outputs))
    return rng.uniform(-1, 1, (m, inputs)), y


@pytest.mark.parametrize("activation", oracle.ALL_ACTIVATIONS)
def test_activations(activation):
    net = random_net([3, 4, 3, 2], activation, "tanh" if activation == "identity" else activation)
    if activation == "exponential":
        net.parameters[:] /= 4  # e^(e^(e^z)) otherwise
    check(net, *problem())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("cost", [*oracle.COSTS, bpnet.Huber(delta=0.3), bpnet.Quantile(q=0.9)], ids=str)
def test_costs(cost, reduction):
    output = "softmax" if cost == "cross_entropy" else "sigmoid"
    check(random_net([3, 4, 2], "tanh", output), *problem(), cost=cost, reduction=reduction)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_sample_weights(reduction):
    check(random_net([3, 4, 2]), *problem(), sample_weight=[2, 0, 0.5, 1, 3], reduction=reduction)


def test_labels():
    x, _ = problem()
    check(random_net([3, 4, 3], "silu", "softmax"), x, np.array([0, 2, 1, 1, 0]), cost="cross_entropy")


def test_a_cost_of_the_callers_own():
    def quartic(a, y):
        return ((a - y) ** 4).sum(axis=1), 4 * (a - y) ** 3

    check(random_net([3, 4, 2]), *problem(), cost=quartic)


def test_normalized():
    net, (x, y) = random_net([3, 4, 2]), problem(20)
    net.normalize(3 * x + 2, 5 * y - 1)
    check(net, x[:4], y[:4])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_layers(layer):
    """delta^l is the derivative with respect to z^l, which moves with b^l; (BP5) that with respect to a^l."""
    x, y = problem(1)
    net = random_net([3, 4, 3, 2], "tanh", "sigmoid")
    g = net.gradient(x, y, wrt="layers")
    np.testing.assert_allclose(g.deltas[layer][0], differences(lambda: net.cost(x, y), net.biases[layer]), atol=ATOL)
    rest = bpnet.Network(net.sizes[layer:], "tanh", "sigmoid", dtype="float64", seed=0)
    for ours, theirs in zip(rest.weights + rest.biases, net.weights[layer:] + net.biases[layer:], strict=True):
        ours[...] = theirs
    a = net.forward(x).a[layer].copy()
    np.testing.assert_allclose(g.activations[layer], differences(lambda: rest.cost(a, y), a), atol=ATOL)
