"""normalize: raw x in, raw y out, derivatives with respect to raw x, the cost on the standardised scale."""

import bpnet
import numpy as np
import oracle
import pytest
import reference
from nets import bits, build, random_net

EVERYTHING = ("parameters", "x", "layers")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal([5, -2, 0.1], [3, 0.5, 10], (90, 3)), rng.normal([100, -3], [20, 0.1], (90, 2))


def standard(a):
    return (a - a.mean(0)) / a.std(0)


def test_the_first_layer_sees_mean_0_and_deviation_1(data):
    x, y = data
    net = random_net([3, 4, 2])
    net.normalize(x)
    np.testing.assert_allclose(
        net.forward(x).a[0], standard(x), rtol=1e-12, atol=1e-13
    )  # a few eps times mean / deviation


def test_predictions_are_raw(data):
    x, y = data
    plain, net = random_net([3, 4, 2]), random_net([3, 4, 2])
    net.normalize(x, y)
    np.testing.assert_allclose(net.predict(x), plain.predict(standard(x)) * y.std(0) + y.mean(0), rtol=1e-12)
    np.testing.assert_allclose(net.forward(x).a[-1], plain.predict(standard(x)), rtol=1e-12, atol=1e-13)


def test_the_gradient_is_with_respect_to_raw_x_and_the_cost_is_standardised(data):
    x, y = data
    net = random_net([3, 4, 2])
    net.normalize(x, y)
    g = net.gradient(x, y, wrt=EVERYTHING)
    want = reference.gradient(net.weights, net.biases, net.activations, standard(x), standard(y))
    rtol, atol = 1e-12, 1e-15
    assert g.cost == pytest.approx(want["cost"], rel=rtol)
    np.testing.assert_allclose(g.x, want["x"] / x.std(0), rtol=1e-10, atol=atol)
    np.testing.assert_allclose(g.flat, reference.flatten(want["weights"], want["biases"]), rtol=1e-10, atol=1e-14)
    for got, expected in zip(g.deltas, want["deltas"], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=atol)
    for got, expected in zip(g.activations[1:], want["activations"][1:], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=atol)


def test_exactly():
    """Means and deviations that binary holds: against mpmath to the bound of plain networks."""
    x, y = (
        np.array([[1.0, -4], [3, 12]]),
        np.array([[10.0], [26]]),
    )  # mean (2, 4), deviation (1, 8); mean 18, deviation 8
    weights, biases = (
        [np.array([[0.5, -0.25], [1, 0.75]]), np.array([[1, -0.5]])],
        [np.array([0.25, -1]), np.array([0.125])],
    )
    net = build(weights, biases, ["tanh", "identity"])
    net.normalize(x, y)
    raw_x, raw_y = np.array([[2.5, 6], [0.25, -3]]), np.array([[11.0], [30]])
    g = net.gradient(raw_x, raw_y, wrt=EVERYTHING)
    want = oracle.gradient(
        weights, biases, ["tanh", "identity"], (raw_x - [2, 4]) / [1, 8], (raw_y - 18) / 8, "quadratic"
    )
    bound = 1e-13
    assert oracle.distance(g.x, want["x"] / oracle.exact([1, 8])) <= bound
    assert oracle.distance(net.predict(raw_x), want["a"][-1] * 8 + 18) <= bound
    for got, expected in zip(g.weights + g.biases, want["weights"] + want["biases"], strict=True):
        assert oracle.distance(got, expected) <= bound


def test_a_constant_column_is_only_shifted(data):
    x, _ = data
    x[:, 1] = 7
    net = random_net([3, 4, 2])
    net.normalize(x)
    seen = net.forward(x).a[0]
    assert not seen[:, 1].any()
    assert np.isfinite(net.predict(x + 1)).all()


def test_unset_by_default_and_kept_by_copies_files_and_astype(data, tmp_path):
    x, y = data
    net = random_net([3, 4, 2])
    assert bits(net.forward(x).a[0]) == bits(x)
    net.normalize(x, y)
    net.save(tmp_path / "net.safetensors")
    want = bits(net.predict(x))
    assert bits(net.copy().predict(x)) == want
    assert bits(bpnet.load(tmp_path / "net.safetensors").predict(x)) == want
    np.testing.assert_allclose(net.astype("float32").predict(x), net.predict(x), rtol=1e-4)


def test_each_side_alone(data):
    x, y = data
    plain, one, other = (random_net([3, 4, 2]) for _ in range(3))
    one.normalize(x=x)
    other.normalize(y=y)
    np.testing.assert_allclose(one.predict(x), plain.predict(standard(x)), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(other.predict(x), plain.predict(x) * y.std(0) + y.mean(0), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_on_raw_data_equals_training_on_standardised_data(data, dtype):
    x, y = data
    raw, plain = random_net([3, 4, 2], dtype=dtype), random_net([3, 4, 2], dtype=dtype)
    raw.normalize(x, y)
    for net, a, b in ((raw, x, y), (plain, standard(x), standard(y))):
        net.fit(a, b, optimizer=bpnet.SGD(learning_rate=0.1), epochs=3, batch_size=16, seed=0)
    np.testing.assert_allclose(raw.parameters, plain.parameters, rtol=3e-3 if dtype == "float32" else 1e-11, atol=1e-5)


def test_the_order_of_rows_and_their_type_do_not_matter_much(data):
    """Sums in another order differ by a few eps; other types not at all."""
    x, _ = data
    nets = [random_net([3, 4, 2]) for _ in range(3)]
    nets[0].normalize(x)
    nets[1].normalize(x[::-1].copy())
    nets[2].normalize(x.astype("longdouble"))
    np.testing.assert_allclose(nets[0].predict(x), nets[1].predict(x), rtol=1e-11)
    np.testing.assert_allclose(nets[0].predict(x), nets[2].predict(x), rtol=1e-11)
