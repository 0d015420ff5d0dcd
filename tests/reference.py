"""The plain NumPy network: every equation once, whole batches, nothing clever. Slow and easy to check."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))  # (S1)


def sigmoid_slope(z):
    return sigmoid(z) * sigmoid(-z)  # (S1)


ACTIVATIONS = {  # f, f'
    "identity": (lambda z: z, np.ones_like),
    "sigmoid": (sigmoid, sigmoid_slope),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: 1.0 * (z > 0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(z)), lambda z: np.where(z > 0, 1, np.exp(z))),
    "softplus": (lambda z: np.log1p(np.exp(z)), sigmoid),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: (1 + abs(z)) ** -2.0),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "sine": (np.sin, np.cos),
    "gaussian": (lambda z: np.exp(-z * z), lambda z: -2 * z * np.exp(-z * z)),
    "exponential": (np.exp, np.exp),
}

COSTS = {  # C of one sample, grad_a C
    "quadratic": (lambda a, y: ((a - y) ** 2).sum(1) / 2, lambda a, y: a - y),  # (Q1)
    "absolute": (lambda a, y: abs(a - y).sum(1), lambda a, y: np.sign(a - y)),
    "huber": (
        lambda a, y: np.where(abs(a - y) <= 1, (a - y) ** 2 / 2, abs(a - y) - 0.5).sum(1),
        lambda a, y: np.clip(a - y, -1, 1),
    ),
    "log_cosh": (lambda a, y: np.log(np.cosh(a - y)).sum(1), lambda a, y: np.tanh(a - y)),
    "binary_cross_entropy": (
        lambda a, y: -(y * np.log(a) + (1 - y) * np.log1p(-a)).sum(1),
        lambda a, y: (a - y) / (a * (1 - a)),
    ),
    "cross_entropy": (lambda a, y: -(y * np.log(a)).sum(1), lambda a, y: -y / a),
}


def activate(name, z):
    """f(z), and what multiplies a gradient by f'(z), transposed."""
    if name == "softmax":
        a = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        return a, lambda grad: a * (grad - (a * grad).sum(1, keepdims=True))
    f, slope = ACTIVATIONS[name]
    return f(z), lambda grad: slope(z) * grad


def forward(weights, biases, activations, x):
    """z^1..z^L, a^0..a^L and the slope of each layer."""
    zs, activities, slopes = [], [x], []
    for W, b, f in zip(weights, biases, activations, strict=True):
        zs.append(activities[-1] @ W.T + b)  # (F1)
        a, slope = activate(f, zs[-1])  # (F2)
        activities.append(a)
        slopes.append(slope)
    return zs, activities, slopes


def gradient(weights, biases, activations, x, y, cost="quadratic", sample_weight=None, reduction="mean"):
    """Everything `net.gradient` and `net.forward` give, under the same names, in a dict."""
    w = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, float)
    share = w / w.sum() if reduction == "mean" else w
    zs, activities, slopes = forward(weights, biases, activations, x)
    value, slope = COSTS[cost]
    grads, deltas = [slope(activities[-1], y) * share[:, None]], []
    for W, pull in zip(weights[::-1], slopes[::-1], strict=True):
        deltas.insert(0, pull(grads[0]))  # (BP1), (BP2)
        grads.insert(0, deltas[0] @ W)  # (BP5)
    return {
        "cost": share @ value(activities[-1], y),
        "z": zs,
        "a": activities,
        "deltas": deltas,
        "activations": grads,
        "x": grads[0],
        "weights": [d.T @ a for d, a in zip(deltas, activities, strict=False)],  # (BP3)
        "biases": [d.sum(0) for d in deltas],  # (BP4)
    }


def flatten(weights, biases):
    """The flat vector: W^1 column by column, b^1, W^2, ..."""
    return np.concatenate([part for W, b in zip(weights, biases, strict=True) for part in (W.ravel("F"), b)])
