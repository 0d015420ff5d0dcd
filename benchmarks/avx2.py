"""Who is held to AVX2: whoever has a switch for it, if it holds by measurement. Some ask the processor all the same."""

from types import ModuleType

import bpnet

from .cases import Case, Problem, Work
from .timing import repeats_for, seconds_for

MARGIN = 1.05  # nobody reaches the peak; the clock may have moved since it was measured


def rate(rival: ModuleType, dtype: str) -> float:
    """GFLOP/s of its product of two large matrices."""
    case = Case((2048, 1024), 1024)  # a long sum an output, so that activations hardly count
    runner = rival.Prediction(case, Problem(case, dtype))
    repeats = repeats_for(runner.run, 0.1)
    seconds = min(seconds_for(runner.run, repeats) / repeats for _ in range(5))
    return Work("prediction", case).flops / seconds / 1e9


def held(rivals: list[ModuleType], dtype: str, peak: float) -> tuple[list[ModuleType], list[str]]:
    """The rivals that stay below the peak of AVX2, GFLOP/s, and a line about each that does not."""
    beyond = "v4" in bpnet.get_config()["isa_available"]  # else there is nothing to be held from
    kept, lines = [], []
    for rival in rivals:
        if beyond and getattr(rival, "NO_SWITCH", False):
            lines.append(f"{rival.NAME} is left out: no switch holds it to AVX2")
        elif hasattr(rival, "Prediction") and (found := rate(rival, dtype)) > MARGIN * peak:
            lines.append(
                f"{rival.NAME} is left out: {found:.0f} GFLOP/s is more than AVX2 gives, its switches do not hold"
            )
        else:
            kept.append(rival)
    return kept, lines
