"""Whatever holds real numbers, as a NumPy array that shares its memory where it can."""

from __future__ import annotations

from collections import UserList, deque
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

_LISTS = (list, tuple, deque, UserList)
_PLAIN = {float, int, bool}
_NUMPYS_WAYS = ("__array__", "__array_interface__", "__array_struct__")
_FLOAT_SIZES = (2, 4, 8, np.dtype(np.longdouble).itemsize)


def as_array(name: str, values: ArrayLike) -> NDArray[Any]:
    """`values` as an array of real numbers.

    Parameters
    ----------
    name : str
        What complaints call it.
    values : ndarray, an object with the buffer protocol, `__array__`, `__array_interface__` or `__dlpack__`, or a list
        Only lists and tuples are copied by this; the core reads any real dtype and layout as it lies.

    Raises
    ------
    TypeError
        Where it holds no real numbers, or some of them are masked.

    Examples
    --------
    >>> import array
    >>> numbers = array.array("h", [1, 2, 3])
    >>> view = as_array("x", numbers)
    >>> numbers[0] = 7
    >>> view
    array([7, 2, 3], dtype=int16)
    """
    array = values if isinstance(values, np.ndarray) else _converted(name, values)
    kind = array.dtype.kind
    if kind not in "biuf" or (kind == "f" and array.dtype.itemsize not in _FLOAT_SIZES):
        raise TypeError(
            f"{_whose(name, values)} has dtype {array.dtype}, but must be real numbers (bool, integer or float)"
        )
    if type(array) is not np.ndarray and isinstance(array, np.ma.MaskedArray):
        _refuse_masks(name, values)
    return array


def _converted(name: str, values: Any) -> NDArray[Any]:
    """What is no array yet. A subclass is kept, so that a mask is seen."""
    if values is None:
        raise TypeError(f"{name} is None, but must be an array of real numbers")
    is_list = isinstance(values, _LISTS)
    if is_list and _holds_mask(values):
        _refuse_masks(name, values)  # NumPy would drop them
    try:
        if not is_list and hasattr(values, "__dlpack__") and not any(hasattr(values, way) for way in _NUMPYS_WAYS):
            return np.from_dlpack(values)
        return np.asanyarray(values)
    except (TypeError, ValueError, RuntimeError, BufferError, AttributeError) as error:
        raise TypeError(f"{_whose(name, values)} cannot be read as an array of real numbers: {error}") from error


def _holds_mask(values: Iterable[Any]) -> bool:
    """Whether a list, or one inside it, has a masked array or number."""
    waiting, seen = [values], {id(values)}  # a list may hold itself, or another one twice
    while waiting:
        inside = waiting.pop()
        types = set(map(type, inside))
        if types <= _PLAIN:
            continue
        if any(issubclass(t, np.ma.MaskedArray) for t in types):
            return True
        new = {id(v): v for v in inside if isinstance(v, _LISTS) and id(v) not in seen}
        seen.update(new)
        waiting.extend(new.values())
    return False


def _whose(name: str, values: object) -> str:
    return name if isinstance(values, np.ndarray) else f"{name} ({type(values).__name__})"


def _refuse_masks(name: str, values: object) -> NoReturn:
    raise TypeError(f"{_whose(name, values)} is masked; fill it or drop the masked samples first")
