"""What every option passes through: checkers that complain in one manner, and the base of the option objects."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeGuard

_INT64_MAX = 2**63 - 1

# What other libraries call the same thing: used in complaints only.
_ELSEWHERE = {
    "linear": "identity",
    "logistic": "sigmoid",
    "swish": "silu",
    "sin": "sine",
    "exp": "exponential",
    "mse": "quadratic",
    "squared_error": "quadratic",
    "mae": "absolute",
    "l1": "absolute",
    "l2": "quadratic",
    "pinball": "quantile",
    "bce": "binary_cross_entropy",
    "log_loss": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "xavier": "glorot_uniform",
    "kaiming": "he_normal",
    "gaussian": "normal",
}


def shown(value: object) -> str:
    """`value` as a complaint prints it: its repr, cut short, and its type where that is what is wrong."""
    try:
        text = repr(value)
    except Exception:  # of a number with more digits than Python prints, say
        text = "too long to print" if isinstance(value, int) else "not to be printed"
    return text if len(text) <= 60 else text[:57] + "..."


def wrong_type(name: str, value: object, expected: str) -> NoReturn:
    raise TypeError(f"{name} is {shown(value)} ({type(value).__name__}), but must be {expected}")


def is_number(value: object) -> TypeGuard[Real]:
    """Whether `value` is a real number, True and False left out."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def real(
    name: str,
    value: object,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    below: float = math.inf,
) -> float:
    """`value` as a finite float within the bounds."""
    if not is_number(value):
        wrong_type(name, value, "a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and number > above and number >= at_least and number < below):
        bounds = {">": above, ">=": at_least, "<": below}
        within = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds.items() if math.isfinite(bound))
        raise ValueError(f"{name} is {shown(value)}, but must be a finite number {within}".rstrip())
    return number


def whole(name: str, value: object, *, at_least: int) -> int:
    """`value` as an int of at least `at_least` that 64 bits hold. True and False are no numbers."""
    if isinstance(value, (bool, np.bool_)):
        wrong_type(name, value, "a whole number")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        wrong_type(name, value, "a whole number")
    if number < at_least:
        raise ValueError(f"{name} is {shown(number)}, but must be at least {at_least}")
    if number > _INT64_MAX:
        raise ValueError(f"{name} is {shown(number)}, but must be less than 2**63")
    return number


def flag(name: str, value: object) -> bool:
    """`value` as True or False."""
    if not isinstance(value, (bool, np.bool_)):
        wrong_type(name, value, "True or False")
    return bool(value)


def thread_count(threads: object) -> int | None:
    """`threads` as an int of at least 1, or None."""
    return None if threads is None else whole("threads", threads, at_least=1)


def choice(name: str, value: object, known: Sequence[str]) -> str:
    """`value` as one of the known names; a ValueError offers the nearest."""
    if not isinstance(value, str):
        wrong_type(name, value, f"a name such as {known[0]!r}")
    if value not in known:
        unknown_name(name, value, known)
    return value


def unknown_name(name: str, value: str, known: Iterable[str]) -> NoReturn:
    import difflib

    known = list(known)
    plain = value.strip().lower().replace("-", "_").replace(" ", "_")
    same = _ELSEWHERE.get(plain)
    near = [same] if same in known else [each for each in known if plain and each.startswith(plain)]
    near = near or difflib.get_close_matches(plain, known, 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise ValueError(f"{name} {shown(value)} is not known{hint} Known: {', '.join(known)}")


class Options:
    """Base of the small immutable objects: keyword-only, checked when made, compared by value, pickled by options.

    The options are the `__slots__` of its class, in the order of its `__init__`, and of classes derived from it.
    """

    __slots__ = ()
    _names: ClassVar[tuple[str, ...]] = ()

    def _set(self, **options: object) -> None:
        for name, value in options.items():
            object.__setattr__(self, name, value)

    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._names}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        slots = [vars(base).get("__slots__", ()) for base in reversed(cls.__mro__)]
        names = [name for s in slots for name in ((s,) if isinstance(s, str) else s)]
        cls._names = tuple(name for name in names if not name.startswith("__"))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable; make a new one with another {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable; {name} cannot be deleted")

    def __repr__(self) -> str:
        return f"bpnet.{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self._options().items())})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._options() == other._options()

    def __hash__(self) -> int:
        return hash((type(self), *self._options().values()))

    def __copy__(self) -> Options:
        return self

    def __deepcopy__(self, memo: object) -> Options:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self._options())


def _remake(kind: type[Options], options: dict[str, Any]) -> Options:
    return kind(**options)
