"""The exact oracle: the equations in mpmath, one number at a time, with none of the library's own tricks.

Arrays are NumPy arrays of mpf (dtype object). Batches are (m, n), one sample a row, as in Python's half of bpnet.
"""

import mpmath
import numpy as np

mp = mpmath.mp.clone()
mp.dps = 90  # the 50 that are promised, after the 35 that tanh(40) - 1 cancels
one, half = mp.mpf(1), mp.mpf(1) / 2

# ---- activations: f(z) and f'(z), the left derivative at a kink ------------------------------------------------------

LEAK = mp.mpf("0.01")
SELU_SCALE = mp.mpf("1.0507009873554804934193349852946")
SELU_ALPHA = mp.mpf("1.6732632423543772848170429916717")


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def normal_cdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def normal_density(z):
    return mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def mish_slope(z):
    t = mp.tanh(mp.log1p(mp.exp(z)))
    return t + z * (1 - t * t) * sigmoid(z)


ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: one),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),  # (S1) with 1 - f(z) = f(-z)
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "relu": (lambda z: max(z, 0 * one), lambda z: one if z > 0 else 0 * one),
    "leaky_relu": (lambda z: z if z > 0 else LEAK * z, lambda z: one if z > 0 else LEAK),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: one if z > 0 else mp.exp(z)),
    "selu": (
        lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * mp.expm1(z)),
        lambda z: SELU_SCALE * (one if z > 0 else SELU_ALPHA * mp.exp(z)),
    ),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), sigmoid),
    "softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_density(z)),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "mish": (lambda z: z * mp.tanh(mp.log1p(mp.exp(z))), mish_slope),
    "hard_sigmoid": (lambda z: min(max(z / 6 + half, 0 * one), one), lambda z: one / 6 if -3 < z <= 3 else 0 * one),
    "hard_tanh": (lambda z: min(max(z, -one), one), lambda z: one if -1 < z <= 1 else 0 * one),
    "sine": (mp.sin, mp.cos),
    "gaussian": (lambda z: mp.exp(-z * z), lambda z: -2 * z * mp.exp(-z * z)),
    "exponential": (mp.exp, mp.exp),
}


def softmax(z):
    e = [mp.exp(v) for v in z]
    return [v / sum(e) for v in e]


def activate(name, z):
    """a = f(z) of one sample. (F2)"""
    return np.array(softmax(z) if name == "softmax" else [ACTIVATIONS[name][0](v) for v in z], object)


def pull_through(name, z, grad_a):
    """f'(z) o grad_a of one sample; for softmax the transposed Jacobian. (BP1), (BP2)"""
    if name == "softmax":
        a = softmax(z)
        return np.array(
            [sum(a[i] * ((i == j) - a[j]) * grad_a[i] for i in range(len(a))) for j in range(len(a))], object
        )
    return np.array([ACTIVATIONS[name][1](v) * g for v, g in zip(z, grad_a, strict=True)], object)


# ---- costs of one output: C(a, y) and dC/da, each with its parameter -------------------------------------------------


def log_term(y, a):
    """y log a, with 0 log 0 = 0."""
    return y * mp.log(a) if y else 0 * one


def ratio(y, a):
    """y / a, the derivative of y log a."""
    return y / a if y else 0 * one


def sign(e):
    return one * ((e > 0) - (e < 0))


COSTS = {
    "quadratic": (lambda a, y: (a - y) ** 2 / 2, lambda a, y: a - y),  # (Q1)
    "absolute": (lambda a, y: abs(a - y), lambda a, y: sign(a - y)),
    "huber": (
        lambda a, y, d=one: (a - y) ** 2 / 2 if abs(a - y) <= d else d * (abs(a - y) - d / 2),
        lambda a, y, d=one: a - y if abs(a - y) <= d else d * sign(a - y),
    ),
    "log_cosh": (lambda a, y: mp.log(mp.cosh(a - y)), lambda a, y: mp.tanh(a - y)),
    "poisson": (lambda a, y: a - log_term(y, a), lambda a, y: 1 - ratio(y, a)),
    "quantile": (
        lambda a, y, q=half: max(q * (y - a), (q - 1) * (y - a)),
        lambda a, y, q=half: -q if y > a else 1 - q if y < a else 0 * one,
    ),
    "binary_cross_entropy": (
        lambda a, y: -log_term(y, a) - log_term(1 - y, 1 - a),
        lambda a, y: ratio(1 - y, 1 - a) - ratio(y, a),
    ),
    "cross_entropy": (lambda a, y: -log_term(y, a), lambda a, y: -ratio(y, a)),
}

NONNEGATIVE = ("relu", "sigmoid", "softplus", "hard_sigmoid", "gaussian", "exponential", "softmax")
WITHIN_0_1 = ("sigmoid", "hard_sigmoid", "gaussian", "softmax")
ALL_ACTIVATIONS = (*ACTIVATIONS, "softmax")


def allowed(activation, cost):
    """Whether a cost takes this output activation."""
    if cost == "poisson":
        return activation in NONNEGATIVE
    if cost in ("binary_cross_entropy", "cross_entropy"):
        return activation in WITHIN_0_1
    return True


# ---- the network -----------------------------------------------------------------------------------------------------


def exact(array):
    """The numbers of an array as mpf: no rounding."""
    array = np.asarray(array)
    return np.array([mp.mpf(v) for v in array.astype(object).ravel()], object).reshape(array.shape)


def gradient(weights, biases, activations, x, y, cost, parameter=None, sample_weight=None, reduction="mean"):
    """Everything `net.gradient` and `net.forward` give, under the same names, in a dict."""
    weights, biases, x, y = [exact(W) for W in weights], [exact(b) for b in biases], exact(x), exact(y)
    extra = () if parameter is None else (mp.mpf(parameter),)
    value, slope = COSTS[cost]
    w = exact(np.ones(len(x)) if sample_weight is None else sample_weight)
    share = w / sum(w) if reduction == "mean" else w
    depth = len(weights)
    total = 0 * one
    zs, activities, deltas, grads = ([[] for _ in range(depth + 1)] for _ in range(4))
    for row, target, factor in zip(x, y, share, strict=True):
        z, a = [None], [row]
        for W, b, f in zip(weights, biases, activations, strict=True):
            z.append(W @ a[-1] + b)  # (F1)
            a.append(activate(f, z[-1]))  # (F2)
        total += factor * sum(value(u, v, *extra) for u, v in zip(a[-1], target, strict=True))
        grad = np.array([factor * slope(u, v, *extra) for u, v in zip(a[-1], target, strict=True)], object)
        for l in range(depth, 0, -1):
            grads[l].append(grad)
            delta = pull_through(activations[l - 1], z[l], grad)  # (BP1), (BP2)
            deltas[l].append(delta)
            grad = weights[l - 1].T @ delta  # (BP5)
        grads[0].append(grad)
        for l in range(depth + 1):
            zs[l].append(z[l])
            activities[l].append(a[l])
    stack = lambda rows: np.array(rows, object)  # noqa: E731
    deltas, activities = [stack(d) for d in deltas[1:]], [stack(a) for a in activities]
    return {
        "cost": total,
        "z": [stack(z) for z in zs[1:]],
        "a": activities,
        "deltas": deltas,
        "activations": [stack(g) for g in grads],
        "x": stack(grads[0]),
        "weights": [d.T @ a for d, a in zip(deltas, activities, strict=False)],  # (BP3), summed over the batch
        "biases": [d.sum(axis=0) for d in deltas],  # (BP4)
    }


# ---- how far ---------------------------------------------------------------------------------------------------------


def norm(array):
    return mp.sqrt(sum(abs(v) ** 2 for v in np.ravel(array)))


SMALLEST = mp.mpf(2) ** -1022  # the smallest normal number


def distance(got, want):
    """|got - want| / |want| in the Euclidean norm; an error below the smallest normal number is under 1e-13."""
    want = np.asarray(want, object)
    assert np.shape(got) == want.shape, (np.shape(got), want.shape)
    assert np.isfinite(got).all(), got
    return float(norm(exact(got) - want) / max(norm(want), SMALLEST * 10**13))


def ulps(got, want):
    """|got - want| in units of the last place of `want`, one number each. A want beyond the largest number is inf."""
    got = np.asarray(got)
    info = np.finfo(got.dtype)
    out = np.empty(got.size)
    for i, (g, w) in enumerate(zip(got.ravel().tolist(), np.ravel(want), strict=True)):
        place = max(mp.frexp(w)[1] - 1, info.minexp) if w else info.minexp
        if abs(w) >= mp.ldexp(1, info.maxexp) * (1 - mp.eps) or not np.isfinite(g):
            out[i] = 0 if mp.mpf(g) == w or (abs(w) >= float(info.max) and g == mp.sign(w) * mp.inf) else np.inf
        else:
            out[i] = abs(mp.mpf(g) - w) / mp.ldexp(1, int(place) - info.nmant)
    return out.reshape(got.shape)
