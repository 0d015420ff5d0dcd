"""What threads bring: the rows of the other tables, and the two smallest that must gain, on 1, 2, 4, ... threads."""

from collections.abc import Sequence
from types import ModuleType

from . import compare
from .cases import PREDICTION, TRAINING, Case, Problem, Work
from .peak import peak
from .rivals import bpnet_
from .tables import Cells, Row, Settings, Table, timed
from .text import pair, times

SMALLEST_TO_GAIN = (Case((10, 50, 50, 1), 1024, minibatches=4), Case((64, 64, 64, 10), 512, minibatches=4))


def counts(most: int) -> list[int]:
    """1, 2, 4, ... and the most."""
    return sorted({1 << k for k in range(most.bit_length())} | {most})


def promised(work: Work) -> float:
    """How many times faster than one two threads are, at least."""
    enough = min(Work("training", case).flops for case in SMALLEST_TO_GAIN)
    return 1.6 if work.flops >= enough else 1.0


def called(n: int) -> str:
    return f"{n} threads" if n > 1 else "1 thread"


def measure(rivals: list[ModuleType], work: Work, settings: Settings) -> Row:
    problem = Problem(work.case, settings.dtype)
    make = getattr(bpnet_, work.kind.capitalize())
    compare.check(work, problem, bpnet_, make(work.case, problem))
    runners = {called(n): make(work.case, problem, threads=n) for n in counts(settings.threads)}
    compare.check_same_bits(work.case, list(runners.values()))
    runs = {name: runner.run for name, runner in runners.items()}
    return Row(work, timed(runs, work, settings), peak(settings.dtype)[0])


def cells(rows: Sequence[Row]) -> Cells:
    one, *more = rows[0].timings
    head = ["net, batch", one, *(title for n in more for title in (n, "times one")), "promised of 2"]
    return [head, *(line(row, one, more) for row in rows)]


def line(row: Row, one: str, more: Sequence[str]) -> list[str]:
    figures = [times(row.timings[one])]
    for n in more:
        figures += [times(row.timings[n]), pair(row.gain(n), row.gain(n, "median"))]
    return [row.work.name, *figures, f"{promised(row.work):g}"]


TABLE = Table(
    "bpnet: microseconds a step or a prediction on several threads, {dtype}",
    [Work("training", c, f"{c.name}, training") for c in (*TRAINING, *SMALLEST_TO_GAIN)]
    + [Work("prediction", c, f"{c.name}, prediction") for c in PREDICTION if c.batch > 1],
    measure,
    cells,
)
