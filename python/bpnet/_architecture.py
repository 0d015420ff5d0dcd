"""What a network is made of: its sizes, activation names and dtype, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._options import choice, shown, whole, wrong_type

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import DTypeLike

    Native: TypeAlias = "_core.Network32 | _core.Network64"

_ACTIVATIONS = tuple(_core.activation_names())
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """`sizes` as a tuple of at least two positive ints."""
    if isinstance(sizes, (str, bytes, dict, set, frozenset)):
        wrong_type("sizes", sizes, "a sequence of ints such as [784, 30, 10]")
    try:
        checked = tuple(whole(f"sizes[{i}]", size, at_least=1) for i, size in enumerate(sizes))
    except TypeError:
        if hasattr(sizes, "__iter__"):
            raise
        wrong_type("sizes", sizes, "a sequence of ints such as [784, 30, 10]")
    if len(checked) < 2:
        raise ValueError(f"sizes is {shown(sizes)}, but needs at least two: the inputs and the outputs")
    return checked


def count_parameters(sizes: tuple[int, ...]) -> int:
    return sum(n_out * (n_in + 1) for n_in, n_out in zip(sizes, sizes[1:], strict=False))


def check_capacity(sizes: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """ValueError where not even an address could reach all parameters."""
    count = count_parameters(sizes)
    if count * dtype.itemsize >= 2**57:
        raise ValueError(f"sizes is {shown(list(sizes))}: {count:.3g} parameters are more than memory can hold")


def allocate(kind: type[Native], sizes: tuple[int, ...], activations: list[str]) -> Native:
    """The core's network; where there is no room for it, the MemoryError says for how much."""
    try:
        return kind(sizes, activations)
    except MemoryError:
        count = count_parameters(sizes)
        raise MemoryError(f"sizes is {shown(list(sizes))}: there is no memory for {count:,} parameters") from None


def check_activations(activation: str | Sequence[str], output_activation: str, depth: int) -> list[str]:
    """The names of f^1..f^L."""
    if isinstance(activation, str):
        hidden = [choice("activation", activation, _ACTIVATIONS)] * (depth - 1)
    else:
        if not hasattr(activation, "__iter__") or isinstance(activation, (dict, set, frozenset)):
            wrong_type("activation", activation, "a name or a sequence of names")
        hidden = [choice(f"activation[{i}]", name, _ACTIVATIONS) for i, name in enumerate(activation)]
        if len(hidden) != depth - 1:
            raise ValueError(f"activation has {len(hidden)} names, but the network has {depth - 1} hidden layers")
    return [*hidden, choice("output_activation", output_activation, _ACTIVATIONS)]


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype` as float32 or float64."""
    expected = "float32 or float64"
    if dtype is None:  # which NumPy reads as float64
        wrong_type("dtype", dtype, expected)
    try:
        checked = np.dtype(dtype)
    except TypeError:
        if isinstance(dtype, str):
            raise ValueError(f"dtype is {dtype!r}, but must be {expected}") from None
        wrong_type("dtype", dtype, expected)
    if checked not in (FLOAT32, FLOAT64):
        raise ValueError(f"dtype is {checked}, but must be {expected}")
    return checked
