"""Each activation as nodes of opset 13, which readers since 2020 know.

ONNX Runtime has LeakyRelu, Elu, Selu, Softplus, Softsign, HardSigmoid and Erf in float32 only; in float64 they are
composed of what it has. Every composition is as exact as its terms of order 1: the error is a few eps max(1, |f|).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._nodes import Nodes

# (alpha, scale) of selu: Klambauer, Unterthiner, Mayr, Hochreiter (2017).
_SELU = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
_GELU_REACH = 9.0  # z Phi(-z) is 1e-18 there
_GELU_DEGREE = 20  # of the polynomial: error 1e-17, below rounding


def add_activation(nodes: Nodes, name: str, z: str) -> str:
    """Adds the nodes of activation `name`, which is not the identity; gives the name of what they compute."""
    if name in _ONE_NODE:
        op, attributes = _ONE_NODE[name]
        return nodes(op, z, **attributes)
    if name in _ONE_NODE_FLOAT32 and nodes.dtype == np.float32:
        op, attributes = _ONE_NODE_FLOAT32[name]
        return nodes(op, z, **attributes)
    return _COMPOSED[name](nodes, z)


_ONE_NODE: dict[str, tuple[str, dict[str, Any]]] = {
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "relu": ("Relu", {}),
    "sine": ("Sin", {}),
    "exponential": ("Exp", {}),
    "softmax": ("Softmax", {"axis": -1}),
}
_ONE_NODE_FLOAT32: dict[str, tuple[str, dict[str, Any]]] = {
    "leaky_relu": ("LeakyRelu", {"alpha": 0.01}),
    "elu": ("Elu", {"alpha": 1.0}),
    "selu": ("Selu", {"alpha": _SELU[0], "gamma": _SELU[1]}),
    "softplus": ("Softplus", {}),
    "softsign": ("Softsign", {}),
    "hard_sigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
}


def _leaky_relu(nodes: Nodes, z: str) -> str:
    return nodes("Max", z, nodes("Mul", z, nodes.constant(0.01)))


def _expm1_of_negative(nodes: Nodes, z: str) -> str:
    """e^min(z, 0) - 1 as 2 t / (1 - t), t = tanh(min(z, 0) / 2): nothing cancels."""
    t = nodes("Tanh", nodes("Mul", nodes("Min", z, nodes.constant(0)), nodes.constant(0.5)))
    return nodes("Div", nodes("Add", t, t), nodes("Sub", nodes.constant(1), t))


def _elu(nodes: Nodes, z: str) -> str:
    return nodes("Add", nodes("Relu", z), _expm1_of_negative(nodes, z))


def _selu(nodes: Nodes, z: str) -> str:
    alpha, scale = _SELU
    left = nodes("Mul", _expm1_of_negative(nodes, z), nodes.constant(alpha * scale))
    return nodes("Add", nodes("Mul", nodes("Relu", z), nodes.constant(scale)), left)


def _softplus(nodes: Nodes, z: str) -> str:
    """max(z, 0) + log(1 + e^-|z|)."""
    e = nodes("Exp", nodes("Neg", nodes("Abs", z)))
    return nodes("Add", nodes("Relu", z), nodes("Log", nodes("Add", e, nodes.constant(1))))


def _softsign(nodes: Nodes, z: str) -> str:
    return nodes("Div", z, nodes("Add", nodes("Abs", z), nodes.constant(1)))


def _hard_sigmoid(nodes: Nodes, z: str) -> str:
    ramp = nodes("Div", nodes("Add", z, nodes.constant(3)), nodes.constant(6))
    return nodes("Clip", ramp, nodes.constant(0), nodes.constant(1))


def _hard_tanh(nodes: Nodes, z: str) -> str:
    return nodes("Clip", z, nodes.constant(-1), nodes.constant(1))


def _silu(nodes: Nodes, z: str) -> str:
    return nodes("Mul", z, nodes("Sigmoid", z))


def _mish(nodes: Nodes, z: str) -> str:
    """z w / (w + 2), w = e^z (e^z + 2): tanh(log(1 + e^z)) as a fraction, 1 to the last digit past z = 20."""
    e = nodes("Exp", nodes("Min", z, nodes.constant(20)))
    two = nodes.constant(2)
    w = nodes("Mul", e, nodes("Add", e, two))
    return nodes("Mul", z, nodes("Div", w, nodes("Add", w, two)))


def _gaussian(nodes: Nodes, z: str) -> str:
    return nodes("Exp", nodes("Neg", nodes("Mul", z, z)))


def _gelu(nodes: Nodes, z: str) -> str:
    if nodes.dtype == np.float64:
        return _gelu_without_erf(nodes, z)
    e = nodes("Erf", nodes("Mul", z, nodes.constant(math.sqrt(0.5))))
    phi = nodes("Mul", nodes("Add", e, nodes.constant(1)), nodes.constant(0.5))
    return nodes("Mul", z, phi)


def _gelu_without_erf(nodes: Nodes, z: str) -> str:
    """max(z, 0) - u Phi(-u), u = |z|; Phi(-u) = e^(-u^2/2) p(s), where s = 4 / (2 + u) - c runs over an interval."""
    u = nodes("Min", nodes("Abs", z), nodes.constant(_GELU_REACH))
    s = nodes("Div", nodes.constant(4), nodes("Add", u, nodes.constant(2)))
    s = nodes("Sub", s, nodes.constant(_gelu_middle()))
    *rest, p = (nodes.constant(c) for c in gelu_coefficients())
    for c in reversed(rest):  # Horner
        p = nodes("Add", nodes("Mul", p, s), c)
    bell = nodes("Exp", nodes("Mul", nodes("Mul", u, u), nodes.constant(-0.5)))
    return nodes("Sub", nodes("Relu", z), nodes("Mul", u, nodes("Mul", bell, p)))


def _gelu_middle() -> float:
    return 1 + 2 / (2 + _GELU_REACH)  # of 4 / (2 + u) for 0 <= u <= reach


def gelu_coefficients() -> list[float]:
    """Of e^(u^2/2) Phi(-u) as a polynomial in s, see above: the interpolant at Chebyshev's points."""
    middle = _gelu_middle()
    half = 2 - middle

    def scaled_tail(unit: np.ndarray) -> np.ndarray:
        u = 4 / (half * unit + middle) - 2
        return np.array([0.5 * math.erfc(x * math.sqrt(0.5)) * math.exp(x * x / 2) for x in u])

    polynomial = np.polynomial.Chebyshev.interpolate(scaled_tail, _GELU_DEGREE)
    return [float(c) / half**k for k, c in enumerate(polynomial.convert(kind=np.polynomial.Polynomial).coef)]


_COMPOSED: dict[str, Callable[[Nodes, str], str]] = {
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "softplus": _softplus,
    "softsign": _softsign,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _hard_tanh,
    "gaussian": _gaussian,
}
