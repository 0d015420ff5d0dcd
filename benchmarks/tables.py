"""The two tables: rivals set up on the same problem, compared, then timed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from . import machine
from .cases import PREDICTION, TRAINING, Case, Problem
from .rivals import numpy_
from .timing import Timing, interleaved


class DisagreementError(Exception):
    """A rival computes something else, so its time would mean nothing."""


@dataclass
class Row:
    """One case, timed. Seconds are those of one step or one prediction."""

    case: Case
    timings: dict[str, Timing]
    peak: float  # GFLOP/s, measured in the same minute
    flops: int

    def lead(self, figure: str = "minimum") -> float:
        """How many times faster bpnet is than the best of the others, by minimum or median."""
        mine, *others = (getattr(timing, figure) for timing in self.timings.values())
        return min(others) / mine if others else float("nan")

    @property
    def share_of_peak(self) -> float:
        return self.flops / next(iter(self.timings.values())).minimum / 1e9 / self.peak


@dataclass
class Settings:
    dtype: str
    rounds: int
    seconds: float  # of one rival's turn


def distance(got: Sequence[np.ndarray], want: Sequence[np.ndarray], scale: float) -> float:
    squares = sum(float(np.sum((np.asarray(g, "float64") - w) ** 2)) for g, w in zip(got, want, strict=True))
    return squares**0.5 / scale


def check_training(case: Case, problem: Problem, rival: ModuleType, runner: Any) -> None:
    """An epoch from the same start ends where the reference in float64 does, measured by the way it went."""
    tolerance = getattr(rival, "TOLERANCE", None)
    reference = numpy_.Training(case, Problem64(problem), getattr(rival, "OUTPUT", None))
    start = [p.copy() for p in reference.parameters()]
    reference.run(1)
    runner.run(1)
    way = distance(start, reference.parameters(), 1.0)
    error = distance(runner.parameters(), reference.parameters(), way)
    limit = tolerance or (1e-4 if problem.x.dtype == np.float32 else 1e-9)
    if not error <= limit:
        raise DisagreementError(f"{case.name}: {rival.NAME} ends {error:.1e} of the way beside the reference")


def check_prediction(case: Case, problem: Problem, name: str, runner: Any) -> None:
    reference = numpy_.Prediction(case, Problem64(problem))
    reference.run(1)
    runner.run(1)
    error = float(np.abs(runner.outputs() - reference.outputs()).max())
    if not error <= 2e-6:  # outputs lie in -1..1; in float32 nobody is further off than 3e-7
        raise DisagreementError(f"{case.name}: an output of {name} is {error:.1e} beside the reference")


class Problem64(Problem):
    """The same numbers in float64."""

    def __init__(self, problem: Problem) -> None:
        self.x, self.y = problem.x.astype("float64"), problem.y.astype("float64")
        self.weights = [W.astype("float64") for W in problem.weights]
        self.biases = [b.astype("float64") for b in problem.biases]


def training(rivals: list[ModuleType], cases: list[Case], settings: Settings) -> Iterator[Row]:
    for case in cases:
        problem = Problem(case, settings.dtype)
        runs = {}
        for rival in rivals:
            if not hasattr(rival, "Training"):
                continue
            runner = rival.Training(case, problem)
            check_training(case, problem, rival, runner)
            runs[rival.NAME] = runner.run
        timings = interleaved(runs, settings.rounds, settings.seconds)
        steps = {name: Timing([t / case.minibatches for t in timing.samples]) for name, timing in timings.items()}
        yield Row(case, steps, machine.peak(settings.dtype)[0], case.flops(training=True))


def prediction(rivals: list[ModuleType], cases: list[Case], settings: Settings) -> Iterator[Row]:
    for case in cases:
        problem = Problem(case, settings.dtype)
        runs = {}
        for rival in rivals:
            if not hasattr(rival, "Prediction"):
                continue
            runner = rival.Prediction(case, problem)
            name = getattr(runner, "NAME", rival.NAME)
            check_prediction(case, problem, name, runner)
            runs[name] = runner.run
        timings = interleaved(runs, settings.rounds, settings.seconds)
        yield Row(case, timings, machine.peak(settings.dtype)[0], case.flops(training=False))


TABLES = {
    "training": ("Microseconds a training step", TRAINING, training),
    "prediction": ("Microseconds a prediction, NumPy array in and out", PREDICTION, prediction),
}
