"""The costs by name, as objects, as callables, and how all three become the core's."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import _core
from ._options import Options, real, unknown_name, wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    CostFunction: TypeAlias = "Callable[[NDArray[Any], NDArray[Any]], tuple[ArrayLike, ArrayLike]]"
    CostLike: TypeAlias = "str | Cost | CostFunction"


class Cost(Options):
    """Base of the costs. C of one sample; a batch has the (weighted) mean, or the sum with `reduction="sum"`."""

    __slots__ = ()
    _name = ""

    def _native(self) -> _core.Cost:
        return _core.Cost(self._name)


class Quadratic(Cost):
    """C = 1/2 ||a - y||^2. (Q1)

    Examples
    --------
    >>> import bpnet
    >>> bpnet.Quadratic()
    bpnet.Quadratic()
    """

    __slots__ = ()
    _name = "quadratic"


class Absolute(Cost):
    """C = sum |a - y|. At a = y the derivative is 0."""

    __slots__ = ()
    _name = "absolute"


class Huber(Cost):
    """C = sum h(a - y), h(r) = r^2 / 2 where |r| <= delta and delta (|r| - delta / 2) beyond.

    Parameters
    ----------
    delta : float
        Where the parabola becomes a line, > 0.

    Raises
    ------
    TypeError, ValueError
        Where delta is not a positive number.

    References
    ----------
    Huber, Robust Estimation of a Location Parameter, 1964.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.Huber(delta=2.0)
    bpnet.Huber(delta=2.0)
    """

    __slots__ = ("delta",)
    _name = "huber"
    delta: float

    def __init__(self, *, delta: float = 1.0) -> None:
        self._set(delta=real("delta", delta, above=0))

    def _native(self) -> _core.Cost:
        return _core.Cost("huber", self.delta)


class LogCosh(Cost):
    """C = sum log cosh(a - y)."""

    __slots__ = ()
    _name = "log_cosh"


class Poisson(Cost):
    """C = sum a - y log a, for outputs a >= 0."""

    __slots__ = ()
    _name = "poisson"


class Quantile(Cost):
    """C = sum max(q (y - a), (q - 1)(y - a)): its minimum is the q-quantile. At a = y the derivative is 0.

    Parameters
    ----------
    q : float
        Which quantile, 0 < q < 1.

    Raises
    ------
    TypeError, ValueError
        Where q is not a number between 0 and 1.

    References
    ----------
    Koenker and Bassett, Regression Quantiles, 1978.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.Quantile(q=0.9)
    bpnet.Quantile(q=0.9)
    """

    __slots__ = ("q",)
    _name = "quantile"
    q: float

    def __init__(self, *, q: float = 0.5) -> None:
        self._set(q=real("q", q, above=0, below=1))

    def _native(self) -> _core.Cost:
        return _core.Cost("quantile", self.q)


class BinaryCrossEntropy(Cost):
    """C = -sum y log a + (1 - y) log(1 - a), for outputs within [0, 1]."""

    __slots__ = ()
    _name = "binary_cross_entropy"


class CrossEntropy(Cost):
    """C = -sum y log a, for outputs within [0, 1]. y may also be one class label (an integer) a sample."""

    __slots__ = ()
    _name = "cross_entropy"


_WITH_NUMBERS: dict[str, type[Cost]] = {"huber": Huber, "quantile": Quantile}
_BY_NAME: dict[object, _core.Cost] = {}  # filled at first use


@lru_cache(maxsize=64)
def _from_object(cost: Cost) -> _core.Cost:
    return cost._native()


def resolve_cost(cost: CostLike) -> _core.Cost:
    """The core's cost for a name, an object or a callable (a, y) -> (cost of each sample, d cost / d a)."""
    if isinstance(cost, str):
        native = _BY_NAME.get(cost)
        return native if native is not None else _from_name(cost)
    if isinstance(cost, Cost):
        return _from_object(cost)
    if callable(cost) and not isinstance(cost, type):
        return _core.Cost.custom(cost)
    wrong_type("cost", cost, 'a name, an object or a callable such as "quadratic" or bpnet.Huber(delta=2.0)')


def _from_name(name: str) -> _core.Cost:
    if name not in _core.cost_names():
        unknown_name("cost", name, _core.cost_names())
    native = _WITH_NUMBERS[name]()._native() if name in _WITH_NUMBERS else _core.Cost(name)
    return _BY_NAME.setdefault(name, native)
