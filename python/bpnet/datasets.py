"""Small data sets that need no download: they are made by their formula."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["two_spirals"]


def two_spirals(
    n: int = 97, *, start: float = 0.0, stop: float = 96.0, dtype: DTypeLike = "float32"
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two intertwined spirals, three turns each: which one does a point lie on?

    Point i of the first spiral has the angle pi i / 16 and the radius 6.5 (104 - i) / 104; the second spiral is the
    first one seen through the origin. With the defaults these are the 194 points of the original problem.

    Parameters
    ----------
    n : int
        Points a spiral.
    start, stop : float
        First and last i; the points are equally spaced in i, which need not be whole: ``start=0.5, stop=95.5, n=96``
        gives the points half-way between the original ones. 0 <= start <= stop <= 96.
    dtype : dtype
        Of both results.

    Returns
    -------
    x : ndarray, shape (2 n, 2)
        The first spiral from the outside in, then the second one.
    y : ndarray, shape (2 n,)
        1 for the first spiral, 0 for the second.

    References
    ----------
    K. J. Lang, M. J. Witbrock, "Learning to tell two spirals apart", Proceedings of the 1988 Connectionist Models
    Summer School, 52-59.

    Examples
    --------
    >>> x, y = two_spirals()
    >>> x.shape, y.shape
    ((194, 2), (194,))
    >>> x[0].tolist()
    [0.0, 6.5]
    """
    if n < 1:
        raise ValueError(f"n is {n}, but must be at least 1")
    if not 0 <= start <= stop <= 96:
        raise ValueError(f"start and stop are {start} and {stop}, but must satisfy 0 <= start <= stop <= 96")
    i = np.linspace(start, stop, n)
    angle = np.pi * i / 16
    radius = 6.5 * (104 - i) / 104
    spiral = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    x = np.concatenate([spiral, -spiral])
    y = np.concatenate([np.ones(n), np.zeros(n)])
    return x.astype(dtype), y.astype(dtype)
