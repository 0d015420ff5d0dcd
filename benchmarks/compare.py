"""Results first: a rival that computes something else is found out before any clock starts."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from .cases import Case, Problem, Work
from .rivals import numpy_


class DisagreementError(Exception):
    """A rival computes something else, so its time would mean nothing."""


class Problem64(Problem):
    """The same numbers in float64."""

    def __init__(self, problem: Problem) -> None:
        self.x, self.y = problem.x.astype("float64"), problem.y.astype("float64")
        self.weights = [W.astype("float64") for W in problem.weights]
        self.biases = [b.astype("float64") for b in problem.biases]


def check(work: Work, problem: Problem, rival: ModuleType, runner: Any) -> None:
    """DisagreementError where a fresh runner does not come to the reference's numbers."""
    {"training": check_training, "prediction": check_prediction}[work.kind](work.case, problem, rival, runner)


def check_training(case: Case, problem: Problem, rival: ModuleType, runner: Any) -> None:
    """An epoch from the same start ends where the reference in float64 does, measured by the way it went."""
    reference = numpy_.Training(case, Problem64(problem), getattr(rival, "OUTPUT", None))
    start = [p.copy() for p in reference.parameters()]
    reference.run(1)
    runner.run(1)
    way = distance(start, reference.parameters())
    error = distance(runner.parameters(), reference.parameters()) / way
    limit = getattr(rival, "TOLERANCE", None) or (1e-4 if problem.x.dtype == np.float32 else 1e-9)
    if not error <= limit:
        raise DisagreementError(f"{case.name}: {rival.NAME} ends {error:.1e} of the way beside the reference")


def check_prediction(case: Case, problem: Problem, rival: ModuleType, runner: Any) -> None:
    reference = numpy_.Prediction(case, Problem64(problem))
    reference.run(1)
    runner.run(1)
    error = float(np.abs(runner.outputs() - reference.outputs()).max())
    limit = 2e-6 if problem.x.dtype == np.float32 else 1e-12  # outputs lie in -1..1; nobody is off by half of that
    if not error <= limit:
        raise DisagreementError(f"{case.name}: an output of {rival.NAME} is {error:.1e} beside the reference")


def check_same_bits(case: Case, runners: Sequence[Any]) -> None:
    """Fresh runners of bpnet on any number of threads come to the same bits."""
    results = []
    for runner in runners:
        runner.run(1)
        results.append(runner.parameters() if hasattr(runner, "parameters") else [runner.outputs()])
    for other in results[1:]:
        if not all(np.array_equal(p, q) for p, q in zip(results[0], other, strict=True)):
            raise DisagreementError(f"{case.name}: the number of threads changes the result")


def distance(got: Sequence[np.ndarray], want: Sequence[np.ndarray]) -> float:
    squares = (float(np.sum((np.asarray(g, "float64") - w) ** 2)) for g, w in zip(got, want, strict=True))
    return sum(squares) ** 0.5
