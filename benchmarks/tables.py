"""Rows of the tables: everybody set up on the same problem, compared, then timed in turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from . import compare
from .cases import Problem, Work
from .peak import peak
from .timing import Run, Timing, interleaved

OURS = ("bpnet", "bpnet, C++")


@dataclass
class Settings:
    dtype: str
    rounds: int
    seconds: float  # of one rival's turn
    threads: int  # the most that are tried, where threads are


@dataclass
class Row:
    """A piece of work, timed. Seconds are those of one step or one prediction."""

    work: Work
    timings: dict[str, Timing]
    peak: float  # GFLOP/s of one core, measured in the same minute

    def rate(self, name: str) -> float:
        """GFLOP/s."""
        return self.work.flops / self.timings[name].minimum / 1e9

    def share_of_peak(self, name: str = "bpnet") -> float:
        return self.rate(name) / (self.peak * self.work.threads)

    def lead(self, figure: str = "minimum") -> float:
        """How many times faster bpnet is than the best of the others, by minimum or median."""
        others = [getattr(timing, figure) for name, timing in self.timings.items() if name not in OURS]
        return min(others) / getattr(self.timings["bpnet"], figure) if others else float("nan")

    def gain(self, name: str, figure: str = "minimum") -> float:
        """How many times faster this one is than the first."""
        first = next(iter(self.timings.values()))
        return getattr(first, figure) / getattr(self.timings[name], figure)


Cells = list[list[str]]


@dataclass(frozen=True)
class Table:
    """What is measured, how, and how it is printed."""

    title: str
    works: Sequence[Work]
    measure: Callable[[list[ModuleType], Work, Settings], Row]
    cells: Callable[[Sequence[Row]], Cells]


def beside_rivals(rivals: list[ModuleType], work: Work, settings: Settings) -> Row:
    """All rivals that do this kind of work, on as many threads as it says: one, unless they can be told."""
    problem = Problem(work.case, settings.dtype)
    runs = {}
    for rival in rivals:
        make = getattr(rival, work.kind.capitalize(), None)
        if make is None:
            continue
        runner = make(work.case, problem, **({"threads": work.threads} if work.threads > 1 else {}))
        compare.check(work, problem, rival, runner)
        runs[getattr(runner, "NAME", rival.NAME)] = runner.run
    return Row(work, timed(runs, work, settings), peak(settings.dtype)[0])


def timed(runs: Mapping[str, Run], work: Work, settings: Settings) -> dict[str, Timing]:
    """Seconds of a step or a prediction; what a run repeats is an epoch or a prediction."""
    pieces = work.case.minibatches if work.kind == "training" else 1
    timings = interleaved(runs, settings.rounds, settings.seconds)
    return {name: Timing([seconds / pieces for seconds in timing.samples]) for name, timing in timings.items()}


def as_plain(row: Row) -> dict[str, Any]:
    """For JSON."""
    case = row.work.case
    return {
        "row": row.work.name,
        "work": row.work.kind,
        "sizes": case.sizes,
        "batch": case.batch,
        "activation": case.activation,
        "optimizer": case.optimizer,
        "threads": row.work.threads,
        "flops": row.work.flops,
        "peak_gflops": row.peak * row.work.threads,
        "seconds": {
            name: {"minimum": t.minimum, "median": t.median, "rounds": t.samples} for name, t in row.timings.items()
        },
    }
