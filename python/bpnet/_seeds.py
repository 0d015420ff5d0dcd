"""From what people call a seed to the 64 bits that key the generator."""

from __future__ import annotations

import operator
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ._options import shown, wrong_type

if TYPE_CHECKING:
    from typing import TypeAlias

    SeedLike: TypeAlias = "int | np.integer[Any] | np.random.Generator | np.random.SeedSequence | None"


def resolve_seed(seed: SeedLike) -> int:
    """An int with 0 <= s < 2**64.

    Parameters
    ----------
    seed : int, numpy.random.Generator, numpy.random.SeedSequence or None
        None draws a fresh one from the operating system; a Generator gives (and moves on by) one 64-bit draw; a
        SeedSequence, and an int of 2**64 and more, give the first word of the SeedSequence's state.

    Raises
    ------
    TypeError, ValueError
        Where seed is something else, or negative.
    """
    if seed is None:
        return int.from_bytes(os.urandom(8), "little")
    if isinstance(seed, (bool, np.bool_)):
        wrong_type("seed", seed, "an int, a numpy Generator or SeedSequence, or None")
    try:
        number = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        return _from_generator(seed)
    if number < 0:
        raise ValueError(f"seed is {shown(number)}, but must not be negative")
    return number if number < 2**64 else _first_word(np.random.SeedSequence(number))


def _from_generator(seed: object) -> int:
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(0, 2**64 - 1, dtype=np.uint64, endpoint=True))
    if isinstance(seed, np.random.SeedSequence):
        return _first_word(seed)
    wrong_type("seed", seed, "an int, a numpy Generator or SeedSequence, or None")


def _first_word(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0])
