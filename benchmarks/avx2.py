"""Whether a rival's switches hold it to AVX2: by measurement, since some ask the processor all the same."""

from types import ModuleType

from .cases import Case, Problem, Work
from .timing import repeats_for, seconds_for

MARGIN = 1.1  # nobody reaches the peak; the clock may have moved since it was measured


def rate(rival: ModuleType, dtype: str) -> float:
    """GFLOP/s of its product of two large matrices."""
    case = Case((1024, 1024), 1024)
    runner = rival.Prediction(case, Problem(case, dtype))
    repeats = repeats_for(runner.run, 0.1)
    seconds = min(seconds_for(runner.run, repeats) / repeats for _ in range(5))
    return Work("prediction", case).flops / seconds / 1e9


def held(rivals: list[ModuleType], dtype: str, peak: float) -> tuple[list[ModuleType], list[str]]:
    """The rivals that stay below the peak of AVX2, GFLOP/s, and a line about each that does not."""
    kept, lines = [], []
    for rival in rivals:
        found = rate(rival, dtype) if hasattr(rival, "Prediction") else 0.0
        if found <= MARGIN * peak:
            kept.append(rival)
        else:
            lines.append(
                f"{rival.NAME} is left out: {found:.0f} GFLOP/s on one core is more than AVX2 gives, no switch holds it"
            )
    return kept, lines
