"""Pictures made of characters: two square pixels a character cell where colours are to be had, letters elsewhere."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

__all__ = ["field", "half_blocks", "letters"]

# class 0, undecided, class 1: of a region, and of a point on it
REGION = np.array([[70, 120, 190], [235, 235, 235], [232, 130, 70]], dtype=float)
POINT = np.array([[14, 44, 100], [110, 36, 4]], dtype=np.uint8)


def field(
    console: Console, p: NDArray[Any], marks: NDArray[np.intp] | None = None, labels: NDArray[Any] | None = None
) -> None:
    """Prints a square picture of p.

    p (side, side) in [0, 1], side even, first row at the top; marks (k, 2) are the row and column of points to set on
    it and labels (k,) their classes, 0 or 1: colours only.
    """
    if not in_colour(console):
        # a cell is about twice as high as wide, so each holds two rows
        console.print(letters(p.reshape(p.shape[0] // 2, 2, -1).mean(axis=1)), markup=False, highlight=False)
        return
    image = shade(p)
    if marks is not None and labels is not None:
        image[marks[:, 0], marks[:, 1]] = POINT[labels.astype(int)]
    console.print(half_blocks(image))


def in_colour(console: Console) -> bool:
    """Whether the console can show half blocks in colours of our choice."""
    return (
        console.is_terminal
        and console.color_system is not None
        and not console.no_color
        and not console.legacy_windows
        and console.encoding.lower().startswith("utf")
    )


def shade(p: NDArray[Any]) -> NDArray[np.uint8]:
    """Colours (..., 3) of p (...): blue at 0, nearly white at 1/2, orange at 1, in straight lines between."""
    p = np.clip(np.nan_to_num(p, nan=0.5), 0, 1)[..., None]
    low = REGION[0] + (REGION[1] - REGION[0]) * (2 * p)
    high = REGION[1] + (REGION[2] - REGION[1]) * (2 * p - 1)
    shades: NDArray[np.uint8] = np.where(p < 0.5, low, high).astype(np.uint8)
    return shades


def half_blocks(image: NDArray[np.uint8]) -> Text:
    """image (2 h, w, 3) as h lines of w cells: the upper half block in the upper pixel's colour on the lower one's."""
    text = Text(no_wrap=True, end="")
    for upper, lower in zip(image[0::2].tolist(), image[1::2].tolist(), strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
        text.append("\n")
    return text


def letters(p: NDArray[Any]) -> str:
    """p (h, w) in [0, 1] as h lines of w letters: '.' below 1/2, '#' above."""
    return "\n".join("".join("#" if value > 0.5 else "." for value in row) for row in p)
