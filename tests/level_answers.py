"""Run as a program: writes what the level in use computes to a file, for test_levels.py to compare."""

import sys

import bpnet
import numpy as np
from bpnet import _core

DTYPES = ("float32", "float64")
INITIALIZERS = (
    *("glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal"),
    *("orthogonal", "nguyen_widrow", "normal", "uniform"),
)
OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw", bpnet.SGD(learning_rate=0.01, momentum=0.9, nesterov=True))
EVERYTHING = ("parameters", "x", "layers")


def gradient(net, x, y, cost, row=3):
    """Everything that one call of gradient returns, and the prediction for one row, as one array."""
    g = net.gradient(x, y, cost=cost, wrt=EVERYTHING)
    return np.concatenate([np.ravel(a) for a in (g.cost, g.flat, g.x, *g.deltas, *g.activations, net.predict(x[row]))])


def answers(dtype):
    """Name and array, one after the other. What starts with "draw" is drawn and not computed."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-2, 2, (70, 5)).astype(dtype), rng.uniform(0.1, 0.9, (70, 3)).astype(dtype)
    for init in INITIALIZERS:
        yield f"draw {init}", bpnet.Network([9, 17, 5], init=init, dtype=dtype, seed=3).parameters

    seen = []

    def cost(a, y):
        seen.extend(y[:, 0])
        return np.zeros(len(a)), np.zeros_like(a)

    bpnet.Network([1, 1], output_activation="identity", dtype=dtype).fit(
        x[:, :1], np.arange(70.0), cost=cost, epochs=2, seed=1, threads=1
    )
    yield "draw order", np.array(seen)

    for activation in _core.activation_names():
        net = bpnet.Network([5, 19, 33, 3], activation, "sigmoid", dtype=dtype, seed=1)
        yield f"gradient {activation}", gradient(net, x, y, "quadratic")
        net.fit(x, y, epochs=3, batch_size=20, optimizer="sgd", seed=1, threads=2)
        yield f"training {activation}", net.parameters
    for cost in _core.cost_names():
        output = "softmax" if cost == "cross_entropy" else "sigmoid"
        yield f"gradient {cost}", gradient(bpnet.Network([5, 70, 3], "tanh", output, dtype=dtype, seed=1), x, y, cost)
    for optimizer in OPTIMIZERS:
        net = bpnet.Network([5, 40, 3], "tanh", dtype=dtype, seed=1)
        net.fit(x, y, epochs=3, batch_size=20, optimizer=optimizer, l2=1e-3, l1=1e-4, seed=1, threads=2)
        yield f"training {optimizer}", net.parameters

    # Few outputs, in whole and in part tiles: their gradients are summed in another order than others.
    for sizes in ((5, 50, 50, 1), (5, 100, 60, 2)):
        net = bpnet.Network(sizes, "tanh", "sigmoid", dtype=dtype, seed=1)
        for m in (31, 45, 64):
            yield f"gradient of {m} {sizes}", gradient(net, x[:m], y[:m, : sizes[-1]], "quadratic")

    # One register of outputs behind many inputs, and four outputs: at some levels whole tiles have a way of their own.
    many, results = rng.uniform(-2, 2, (130, 5)).astype(dtype), rng.uniform(0.1, 0.9, (130, 4)).astype(dtype)
    many = np.hstack([many, -many[::-1], many * many, many / 2, 1 - many])
    for sizes in ((5, 39, 16, 8, 4), (5, 35, 10, 48, 3), (5, 67, 7, 32, 12, 4), (25, 14, 11, 4), (12, 8, 9, 3)):
        net = bpnet.Network(sizes, "tanh", "sigmoid", dtype=dtype, seed=1)
        for m in (60, 61, 64, 130):
            data = np.ascontiguousarray(many[:m, : sizes[0]]), results[:m, : sizes[-1]]
            yield f"gradient of {m} {sizes}", gradient(net, *data, "quadratic")

    # Few samples and few outputs, in one register and in two: at some levels their gradient has a way of its own.
    inputs, targets = rng.uniform(-2, 2, (13, 23)).astype(dtype), rng.uniform(0.1, 0.9, (13, 10)).astype(dtype)
    net = bpnet.Network([23, 30, 16, 13, 10], "tanh", "sigmoid", dtype=dtype, seed=1)
    for m in range(1, 14):
        yield f"gradient of {m} of few outputs", gradient(net, inputs[:m], targets[:m], "quadratic", row=0)
    for batch_size in (1, 3, 7, 12):
        for optimizer in ("sgd", "adam"):
            net = bpnet.Network([23, 30, 16, 13, 10], "tanh", "sigmoid", dtype=dtype, seed=1)
            net.fit(inputs, targets, epochs=2, batch_size=batch_size, optimizer=optimizer, seed=1)
            yield f"training {batch_size} {optimizer}", net.parameters

    # Many outputs: they are taken in parts, and sums over them are folded.
    for n, output, cost in ((24, "softmax", "cross_entropy"), (300, "softmax", "quadratic"), (300, "sigmoid", "huber")):
        net = bpnet.Network([5, n], output_activation=output, dtype=dtype, seed=1)
        targets = rng.uniform(0.1, 0.9, (70, n)).astype(dtype)
        for m in (1, 20, 70):
            g = net.gradient(x[:m], targets[:m], cost=cost, wrt=EVERYTHING)
            yield (
                f"gradient of {m} [5, {n}] {output}",
                np.concatenate([[g.cost], g.flat, g.x.ravel(), g.deltas[0].ravel()]),
            )

    # Wide enough to go block by block: a megabyte of parameters.
    net = bpnet.Network([300, 440, 7] if dtype == "float64" else [500, 520, 7], "tanh", dtype=dtype, seed=1)
    assert net.parameters.nbytes > 1e6
    x = rng.uniform(-1, 1, (30, net.sizes[0])).astype(dtype)
    y = rng.uniform(0, 1, (30, 7)).astype(dtype)
    yield "gradient wide", gradient(net, x, y, "quadratic")
    net.fit(x, y, epochs=1, batch_size=15, optimizer="sgd", seed=1, threads=2)
    yield "training wide", net.parameters


if __name__ == "__main__":
    found = {f"{name} {dtype}": array for dtype in DTYPES for name, array in answers(dtype)}
    np.savez(sys.argv[1], isa=bpnet.get_config()["isa"], **found)
