"""A small problem for the tests of training: a network, its data, and these in minibatches."""

import numpy as np
from nets import random_net

SIZES = [3, 5, 2]


def samples():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 3)), rng.uniform(0.1, 0.9, (30, 2))


def make(seed=0, dtype="float64"):
    return random_net(SIZES, "tanh", "sigmoid", dtype, seed)


def batches(x, y, size=8, epochs=1):
    starts = range(0, len(x), size)
    return [(x[i : i + size], y[i : i + size]) for _ in range(epochs) for i in starts]
