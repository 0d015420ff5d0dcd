"""How figures are written: three digits, minimum and, in brackets, median."""

from collections.abc import Sequence

from .timing import Timing


def microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


def times(timing: Timing) -> str:
    return f"{microseconds(timing.minimum)} ({microseconds(timing.median)})"


def pair(minimum: float, median: float) -> str:
    return f"{minimum:.2f} ({median:.2f})"


def markdown(cells: Sequence[Sequence[str]]) -> list[str]:
    """The first line is the head."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    return [lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]]
