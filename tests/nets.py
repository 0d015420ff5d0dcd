"""Small networks for the tests: built from given numbers, and compared bit for bit."""

import bpnet
import numpy as np


def build(weights, biases, activations, dtype="float64"):
    """The network with exactly these parameters and activations, one a layer."""
    sizes = [weights[0].shape[1], *(len(b) for b in biases)]
    net = bpnet.Network(
        sizes, activation=list(activations[:-1]), output_activation=activations[-1], dtype=dtype, seed=0
    )
    for ours, W in zip(net.weights + net.biases, [*weights, *biases], strict=True):
        ours[...] = W
    return net


def dyadic(rng, shape, limit, places):
    """Random multiples of 1/places in [-limit, limit]: sums of a few products of these are exact."""
    return rng.integers(-limit * places, limit * places + 1, shape) / places


def random_parameters(rng, sizes, limit=0.5, places=32):
    """Weights and biases that every float type holds exactly."""
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    return [dyadic(rng, pair, limit, places) for pair in pairs], [dyadic(rng, n, limit, places) for n, _ in pairs]


def random_net(sizes, activation="tanh", output_activation="identity", dtype="float64", seed=0):
    """A network whose biases are not zero."""
    return bpnet.Network(
        sizes, activation, output_activation, dtype=dtype, seed=seed, bias_init=bpnet.Uniform(low=-0.5, high=0.5)
    )


def bits(array):
    """What two arrays must share to be the same: type, shape and bytes. NaN equals itself, 0 is not -0."""
    array = np.ascontiguousarray(array)
    return array.dtype.str, array.shape, array.tobytes()


def gradient_bits(g):
    """All that a gradient with respect to everything holds."""
    return [bits(a) for a in (g.cost, g.flat, g.x, *g.deltas, *g.activations)]
