"""Steps x + c, x - c, x * c, x / c on columns: what standardisation is made of, and what layers can absorb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Step = tuple[str, Vector]

OPERATIONS = ("add", "subtract", "multiply", "divide")


def as_vector(values: Any) -> Vector:
    """One number for all columns, or one a column, in float64; axes of length 1 are dropped."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.size == 1:
        return vector.reshape(())
    if vector.ndim == 0 or vector.shape[-1] != vector.size:
        raise ValueError(f"has constants of shape {vector.shape}, but must have one number for each column")
    return vector.reshape(-1)


def standardisation(steps: list[Step], n: int) -> tuple[Vector, Vector]:
    """(shift, scale), (n,) each: all steps together are (x - shift) / scale. A subtraction before a division is exact.

    A step that multiplies by 0 leaves something that is not finite in scale.
    """
    shift, scale = np.zeros(n), np.ones(n)
    for operation, c in steps:
        if operation == "add":
            shift = shift - c * scale
        elif operation == "subtract":
            shift = shift + c * scale
        elif operation == "multiply":
            scale = scale / c
        else:
            scale = scale * c
    return shift, scale


def line(steps: list[Step], n: int) -> tuple[Vector, Vector]:
    """(slope, offset), (n,) each: all steps together are x * slope + offset. A product before a sum is exact."""
    slope, offset = np.ones(n), np.zeros(n)
    for operation, c in steps:
        if operation == "add":
            offset = offset + c
        elif operation == "subtract":
            offset = offset - c
        elif operation == "multiply":
            slope, offset = slope * c, offset * c
        else:
            slope, offset = slope / c, offset / c
    return slope, offset


def is_normalization(shift: Vector, scale: Vector, dtype: np.dtype[Any]) -> bool:
    """Whether a network of this dtype can carry them: finite, and scales above 0, after rounding too."""
    shift, scale = shift.astype(dtype), scale.astype(dtype)
    return bool(np.isfinite(shift).all() and np.isfinite(scale).all() and (scale > 0).all())
