"""NaN in gives NaN out, and infinity gives the limit, in costs and their gradients too."""

import bpnet
import numpy as np
import pytest

# Every cost with an output activation that it takes.
PAIRS = [
    ("quadratic", "identity"),
    ("absolute", "tanh"),
    ("huber", "identity"),
    ("log_cosh", "identity"),
    ("quantile", "identity"),
    ("poisson", "exponential"),
    ("binary_cross_entropy", "sigmoid"),
    ("binary_cross_entropy", "hard_sigmoid"),
    ("cross_entropy", "sigmoid"),
    ("cross_entropy", "hard_sigmoid"),
    ("cross_entropy", "softmax"),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("cost", "output"), PAIRS)
@pytest.mark.parametrize("m", [1, 30])
def test_a_nan_output_is_seen_in_the_cost_and_its_derivatives(m, cost, output, dtype):
    """Also where the target is 0, and 0 log a counts as 0 for every a that is a number."""
    net = bpnet.Network([2, 2], output_activation=output, init="zeros", dtype=dtype)
    net.biases[0][1] = np.nan
    y = np.tile([1.0, 0.0], (m, 1))
    g = net.gradient(np.ones((m, 2)), y, cost=cost, wrt=("parameters", "x", "layers"))
    assert np.isnan(g.cost) and np.isnan(net.cost(np.ones((m, 2)), y, cost))
    assert np.isnan(g.deltas[0][:, 1]).all() and np.isnan(g.activations[1][:, 1]).all()
    assert np.isnan(g.biases[0][1]) and np.isnan(g.weights[0][1]).all() and np.isnan(g.x).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [1, 30])
def test_softmax_of_infinity_is_its_limit(m, dtype):
    net = bpnet.Network([1, 3], output_activation="softmax", init="zeros", dtype=dtype)
    net.weights[0][:] = [[1], [-1], [-2]]
    assert (net.predict(np.full((m, 1), np.inf)) == [1, 0, 0]).all()
    net.weights[0][:] = [[-1], [0.5], [2]]
    net.biases[0][:] = [0, -np.inf, 1]
    assert (net.predict(np.full((m, 1), 700)) == [0, 0, 1]).all()


def test_a_cost_of_nan_is_called_nan():
    """Whatever sign the processor gave it: processors differ in that."""
    net = bpnet.Network([1, 1], output_activation="identity", init="zeros")
    net.biases[0][:] = -np.float32(np.nan)
    with pytest.raises(bpnet.DivergenceError, match="the cost is nan in epoch 0, step 0"):
        net.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=1)
