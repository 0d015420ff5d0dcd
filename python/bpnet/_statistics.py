"""Mean and standard deviation of every column, one pass over tiles of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import as_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TILE = 1 << 16  # elements: what is converted to float64 at a time, 512 KiB


def shift_and_scale(
    name: str, values: ArrayLike, n_columns: int, *, flat_allowed: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (divided by m) of the columns of `values` (m, n_columns), in float64.

    A constant column's scale is 1. `flat_allowed`: (m,) means (m, 1). Nothing but one tile is copied. Tiles are merged
    pairwise (Chan, Golub and LeVeque 1979) about the first row, so that a constant column is met exactly and a large
    mean costs no digits.
    """
    rows = _as_rows(name, values, n_columns, flat_allowed=flat_allowed)
    pivot = rows[0].astype(np.float64)
    count, mean, squares = 0, np.zeros(n_columns), np.zeros(n_columns)
    step = max(1, _TILE // n_columns)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is met below
        for start in range(0, len(rows), step):
            tile = rows[start : start + step].astype(np.float64)
            _check_finite(name, tile, start)
            tile -= pivot
            tile_mean = tile.mean(axis=0)
            tile -= tile_mean
            total = count + len(tile)
            apart = tile_mean - mean
            mean += apart * (len(tile) / total)
            squares += np.einsum("ij,ij->j", tile, tile) + apart**2 * (count * len(tile) / total)
            count = total
        mean += pivot
        scale = np.sqrt(squares / count)
    if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
        raise ValueError(f"{name} has values too large for its mean and standard deviation to be computed")
    scale[scale == 0] = 1
    return mean, scale


def _as_rows(name: str, values: ArrayLike, n_columns: int, *, flat_allowed: bool) -> NDArray[Any]:
    rows = np.asarray(as_array(name, values))  # a np.matrix would never lose its second axis
    if flat_allowed and rows.ndim == 1 and n_columns == 1:
        rows = rows[:, np.newaxis]
    if rows.ndim != 2 or rows.shape[1] != n_columns or len(rows) == 0:
        raise ValueError(f"{name} has shape {rows.shape}, but must have (m, {n_columns}) with m >= 1")
    return rows


def _check_finite(name: str, tile: NDArray[np.float64], start: int) -> None:
    finite = np.isfinite(tile).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} has a value that is not finite in row {start + int(finite.argmin())}")
