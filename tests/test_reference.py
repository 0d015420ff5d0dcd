"""Against the plain NumPy network: larger nets, every batch and tile boundary."""

import bpnet
import numpy as np
import pytest
import reference

SIZES = [[1, 1], [3, 2], [2, 5, 1], [4, 7, 6, 3], [17, 33, 65, 5, 9], [5, 300, 2], [70, 1100, 3], [1030, 4, 2]]
BATCHES = [1, 2, 15, 16, 17, 63, 64, 65, 130]


def far(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


def problem(sizes, m, seed=0):
    rng = np.random.default_rng([seed, m, *sizes])
    x, y = rng.normal(size=(m, sizes[0])), rng.uniform(0.1, 0.9, (m, sizes[-1]))
    return x, y / y.sum(1, keepdims=True), rng.uniform(0.5, 2, m)


def check(net, x, y, cost, **options):
    g = net.gradient(x, y, cost=cost, wrt=("parameters", "x", "layers"), **options)
    want = reference.gradient(net.weights, net.biases, net.activations, x, y, cost, **options)
    # sums of up to n terms, each rounded, in another order, layer after layer: sqrt(n) depth eps and a little
    bound = 20 * max(max(net.sizes), len(x)) ** 0.5 * net.depth * np.finfo(np.float64).eps
    assert abs(g.cost - want["cost"]) <= bound * abs(want["cost"])
    assert far(g.x, want["x"]) <= bound
    assert far(g.flat, reference.flatten(want["weights"], want["biases"])) <= bound
    for name in ("weights", "biases", "deltas", "activations"):
        for got, expected in zip(getattr(g, name), want[name], strict=True):
            assert got.shape == expected.shape
            assert far(got, expected) <= bound, name
    forward = net.forward(x)
    for got, expected in zip(forward.z + forward.a, want["z"] + want["a"], strict=True):
        assert got.shape == expected.shape
        assert far(got, expected) <= bound
    assert far(net.predict(x), want["a"][-1]) <= bound


@pytest.mark.parametrize("m", BATCHES)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: "-".join(map(str, s)))
def test_sizes_and_batches(sizes, m):
    x, y, w = problem(sizes, m)
    net = bpnet.Network(sizes, "tanh", "sigmoid", dtype="float64", seed=1, bias_init="normal")
    check(net, x, y, "quadratic", sample_weight=w)


@pytest.mark.parametrize("activation", [*reference.ACTIVATIONS, "softmax"])
@pytest.mark.parametrize("cost", reference.COSTS)
def test_activations_and_costs(activation, cost):
    x, y, w = problem([5, 8, 7, 4], 70)
    output = activation if cost not in ("binary_cross_entropy", "cross_entropy") else "softmax"
    init = bpnet.Uniform(low=-0.3, high=0.3)
    net = bpnet.Network([5, 8, 7, 4], activation, output, init, "float64", seed=2, bias_init=init)
    check(net, x, y, cost, sample_weight=w, reduction="sum")


def test_a_different_activation_in_each_layer():
    x, y, _ = problem([3, 4, 5, 6, 2], 40)
    net = bpnet.Network([3, 4, 5, 6, 2], ["elu", "softmax", "sine"], "softsign", dtype="float64", seed=3)
    assert net.activations == ("elu", "softmax", "sine", "softsign")
    check(net, x, y, "huber")


def test_predict_on_deep_nets():
    sizes = [3] * 41
    x, y, _ = problem(sizes, 5)
    check(bpnet.Network(sizes, "sine", "identity", dtype="float64", seed=4), x, y, "quadratic")
