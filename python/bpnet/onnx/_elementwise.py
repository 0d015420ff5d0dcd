"""Which activation do these nodes compute? They are evaluated, so it does not matter how an exporter spelt it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Array = Any  # an NDArray; to the stubs of NumPy most operators on them give Any
    Attributes = dict[str, Any]

_NAMES = [name for name in _core.activation_names() if name not in ("identity", "softmax")]
# Constants of a graph are rounded to float32 (attributes always are), which moves values by a few 1e-7.
_TOLERANCE = 2e-6
_REACH = 80.0  # past it e^z of an exporter's own formula would overflow float32
_HUGE = 1e30  # a bound that stands for none
_SMALL = np.geomspace(1e-4, _REACH, 120)
_GRID = np.concatenate([np.linspace(-12, 12, 193), _SMALL, -_SMALL])


def probe(constants: Iterable[float]) -> Array:
    """Where to look: a grid, and both sides of each of these constants, where a kink may be."""
    near = [c * sign + shift for c in constants if abs(c) < _HUGE for sign in (1, -1) for shift in (-1e-3, 0, 1e-3)]
    far = [2 * c for c in constants if abs(c) < _HUGE]
    return np.unique(np.concatenate([_GRID, near, far]))


class Answers:
    """The values of every activation at the places z."""

    def __init__(self, z: Array) -> None:
        self.z = z
        self._values = np.array([_core.elementwise(name, z, False) for name in _NAMES])
        self._bounds = _TOLERANCE * np.maximum(1, np.abs(self._values))

    def identify(self, values: Array) -> str | None:
        """The activation with these values."""
        with np.errstate(invalid="ignore", over="ignore"):
            agree = (np.abs(values - self._values) <= self._bounds).all(axis=1)
        return _NAMES[int(agree.argmax())] if agree.any() else None


def _erf(x: Array) -> Array:
    return np.array([math.erf(value) for value in x.ravel()]).reshape(x.shape)


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


def _gelu(attributes: Attributes, x: Array) -> Array:
    if attributes.get("approximate", b"none") == b"none":
        return 0.5 * x * (1 + _erf(x * math.sqrt(0.5)))
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _clip(attributes: Attributes, x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    low_, high_ = (attributes.get("min") if low is None else low), (attributes.get("max") if high is None else high)
    x = x if low_ is None else np.maximum(x, low_)
    return x if high_ is None else np.minimum(x, high_)


def _elu(attributes: Attributes, x: Array) -> Array:
    return np.where(x > 0, x, attributes.get("alpha", 1.0) * np.expm1(np.minimum(x, 0)))


def _selu(attributes: Attributes, x: Array) -> Array:
    alpha = attributes.get("alpha", 1.67326319217681884765625)
    gamma = attributes.get("gamma", 1.05070102214813232421875)
    return gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _celu(attributes: Attributes, x: Array) -> Array:
    alpha = attributes.get("alpha", 1.0)
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _plain(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda attributes, *inputs: function(*inputs)


# By operator: how many inputs it has, and what it computes of its attributes and inputs.
ELEMENTWISE: dict[str, tuple[tuple[int, ...], Callable[..., Array]]] = {
    "Abs": ((1,), _plain(np.abs)),
    "Add": ((2,), _plain(np.add)),
    "And": ((2,), _plain(np.logical_and)),
    "Cast": ((1,), _plain(np.asarray)),
    "Celu": ((1,), _celu),
    "Clip": ((1, 2, 3), _clip),
    "Cos": ((1,), _plain(np.cos)),
    "Div": ((2,), _plain(np.divide)),
    "Dropout": ((1, 2, 3), _plain(lambda x, *_: x)),
    "Elu": ((1,), _elu),
    "Erf": ((1,), _plain(_erf)),
    "Exp": ((1,), _plain(np.exp)),
    "Gelu": ((1,), _gelu),
    "Greater": ((2,), _plain(np.greater)),
    "GreaterOrEqual": ((2,), _plain(np.greater_equal)),
    "HardSigmoid": ((1,), lambda a, x: np.clip(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1)),
    "HardSwish": ((1,), _plain(lambda x: x * np.clip(x / 6 + 0.5, 0, 1))),
    "Identity": ((1,), _plain(np.asarray)),
    "LeakyRelu": ((1,), lambda a, x: np.where(x > 0, x, a.get("alpha", 0.01) * x)),
    "Less": ((2,), _plain(np.less)),
    "LessOrEqual": ((2,), _plain(np.less_equal)),
    "Log": ((1,), _plain(np.log)),
    "Max": ((1, 2), _plain(lambda *x: np.maximum(x[0], x[-1]))),
    "Min": ((1, 2), _plain(lambda *x: np.minimum(x[0], x[-1]))),
    "Mish": ((1,), _plain(lambda x: x * np.tanh(np.logaddexp(0, x)))),
    "Mul": ((2,), _plain(np.multiply)),
    "Neg": ((1,), _plain(np.negative)),
    "Not": ((1,), _plain(np.logical_not)),
    "Or": ((2,), _plain(np.logical_or)),
    "PRelu": ((2,), _plain(lambda x, slope: np.where(x > 0, x, slope * x))),
    "Pow": ((2,), _plain(np.power)),
    "Reciprocal": ((1,), _plain(np.reciprocal)),
    "Relu": ((1,), _plain(lambda x: np.maximum(x, 0))),
    "Selu": ((1,), _selu),
    "Sigmoid": ((1,), _plain(_sigmoid)),
    "Sign": ((1,), _plain(np.sign)),
    "Sin": ((1,), _plain(np.sin)),
    "Softplus": ((1,), _plain(lambda x: np.logaddexp(0, x))),
    "Softsign": ((1,), _plain(lambda x: x / (1 + np.abs(x)))),
    "Sqrt": ((1,), _plain(np.sqrt)),
    "Sub": ((2,), _plain(np.subtract)),
    "Sum": ((1, 2), _plain(lambda *x: x[0] + x[1] if len(x) == 2 else x[0])),
    "Swish": ((1,), lambda a, x: x * _sigmoid(a.get("alpha", 1.0) * x)),
    "Tanh": ((1,), _plain(np.tanh)),
    "ThresholdedRelu": ((1,), lambda a, x: np.where(x > a.get("alpha", 1.0), x, 0)),
    "Where": ((3,), _plain(lambda condition, x, y: np.where(condition != 0, x, y))),
}


def evaluate(op: str, attributes: Attributes, inputs: list[Array | None]) -> Array:
    """One node in float64. TypeError or ValueError where inputs or attributes are not what the operator takes."""
    counts, function = ELEMENTWISE[op]
    missing = [i is None for i in inputs]
    if len(inputs) not in counts or (any(missing) if op not in ("Clip", "Dropout") else missing[0]):
        raise ValueError(f"has {len(inputs)} inputs, {sum(missing)} of them empty")
    with np.errstate(all="ignore"):
        return np.asarray(function(attributes, *inputs), dtype=np.float64)
