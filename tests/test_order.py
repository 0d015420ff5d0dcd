"""Order of operations: the same bits for any batch split, any position in a batch and any number of threads."""

import bpnet
import numpy as np
import pytest
from nets import bits, gradient_bits, random_net

EVERYTHING = ("parameters", "x", "layers")
HIDDEN = ["sigmoid", "tanh", "relu", "gelu", "softmax", "sine", "softplus"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", range(1, 131))
def test_a_row_does_not_depend_on_its_batch(width, dtype):
    """predict(x)[i] is predict(x[i]), for this width and every batch of 1 to 200 rows."""
    rng = np.random.default_rng(width)
    net = random_net([1 + 7 * width % 130, width, 1 + 11 * width % 13], HIDDEN[width % 7], dtype=dtype, seed=width)
    x = rng.normal(size=(200, net.sizes[0])).astype(dtype)
    alone = np.array([net.predict(row) for row in x])
    for m in range(1, 201):
        start = rng.integers(0, 201 - m)
        assert (net.predict(x[start : start + m]) == alone[start : start + m]).all(), (m, start)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[5, 64, 3], [3, 17, 9, 2], [1, 1, 1], [130, 65], [7, 1100, 4]], ids=str)
def test_forward_and_backward_of_a_row_do_not_depend_on_its_batch(sizes, dtype):
    rng = np.random.default_rng(0)
    net = random_net(sizes, "tanh", "softmax", dtype)
    x, y = rng.normal(size=(130, sizes[0])).astype(dtype), rng.uniform(size=(130, sizes[-1])).astype(dtype)
    forward, g = net.forward(x), net.gradient(x, y, wrt=("x", "layers"), reduction="sum")
    for i in (0, 1, 15, 16, 31, 63, 64, 100, 127, 128, 129):
        one = net.forward(x[i])
        for ours, whole in zip(one.z + one.a, forward.z + forward.a, strict=True):
            assert bits(ours) == bits(whole[i])
        one = net.gradient(x[i], y[i], wrt=("x", "layers"), reduction="sum")
        for ours, whole in zip((one.x, *one.deltas, *one.activations), (g.x, *g.deltas, *g.activations), strict=True):
            assert bits(ours) == bits(whole[i])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[3, 5, 2], [40, 64, 33, 10], [6, 1200, 3]], ids=str)
@pytest.mark.parametrize("m", [1, 5, 64, 65, 500, 1111])
def test_threads_do_not_change_a_bit(sizes, m, dtype):
    rng = np.random.default_rng(m)
    net = random_net(sizes, "silu", "softmax", dtype)
    x, y = rng.normal(size=(m, sizes[0])).astype(dtype), rng.uniform(size=(m, sizes[-1])).astype(dtype)
    w = rng.uniform(size=m)

    def everything(threads):
        forward = net.forward(x, threads=threads)
        g = net.gradient(x, y, sample_weight=w, cost="cross_entropy", wrt=EVERYTHING, threads=threads)
        cost = net.cost(x, y, "cross_entropy", sample_weight=w, threads=threads)
        assert cost == g.cost
        arrays = (net.predict(x, threads=threads), *forward.z, *forward.a)
        return [bits(a) for a in arrays], gradient_bits(g)

    want = everything(1)
    for threads in (2, 3, 4, 7):
        assert everything(threads) == want, threads


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [10, 200, 700])
@pytest.mark.parametrize("sizes", [[5, 8, 3], [30, 300, 10]], ids=str)
def test_threads_do_not_change_a_fit(sizes, batch_size, dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(700, sizes[0])), rng.normal(size=(700, sizes[-1]))

    def fit(threads):
        net = random_net(sizes, dtype=dtype)
        history = net.fit(x, y, epochs=2, batch_size=batch_size, l1=1e-4, threads=threads, validation=0.1)
        return bits(net.parameters), history.cost, history.validation_cost

    want = fit(1)
    for threads in (2, 3, 4, 7):
        assert fit(threads) == want, threads


@pytest.mark.parametrize("m", [3, 64, 200])
def test_the_order_of_samples_does_not_matter_to_a_full_batch_gradient(m):
    """Sums of m terms in another order: sqrt(m) eps of the largest."""
    rng = np.random.default_rng(m)
    net = random_net([4, 9, 3])
    x, y, order = rng.normal(size=(m, 4)), rng.normal(size=(m, 3)), rng.permutation(m)
    g, shuffled = net.gradient(x, y, wrt=EVERYTHING), net.gradient(x[order], y[order], wrt=EVERYTHING)
    atol = 4 * m**0.5 * np.finfo(float).eps * abs(g.flat).max()
    np.testing.assert_allclose(shuffled.flat, g.flat, rtol=0, atol=atol)
    assert bits(shuffled.x) == bits(g.x[order])


def test_full_batch_of_one_tile_equals_the_sum_of_its_samples():
    rng = np.random.default_rng(0)
    net = bpnet.Network([4, 9, 3], "tanh", "identity", dtype="float64", seed=0)
    x, y = rng.normal(size=(200, 4)), rng.normal(size=(200, 3))
    parts = sum(net.gradient(a, b, reduction="sum").flat for a, b in zip(x, y, strict=True))
    np.testing.assert_allclose(net.gradient(x, y, reduction="sum").flat, parts, rtol=1e-12, atol=1e-13)
