"""What float64 costs: the same training steps of bpnet in both precisions."""

from collections.abc import Sequence
from types import ModuleType

from . import compare
from .cases import TRAINING, Problem, Work
from .peak import peak
from .rivals import bpnet_
from .tables import Cells, Row, Settings, Table, timed
from .text import pair, times

NETS = ((784, 30, 10), (64, 64, 64, 10), (10, 50, 50, 1))
PROMISED = 0.5  # of float32's rate: a register holds half as many


def measure(rivals: list[ModuleType], work: Work, settings: Settings) -> Row:
    runs = {}
    for dtype in ("float32", "float64"):
        problem = Problem(work.case, dtype)
        runner = bpnet_.Training(work.case, problem)
        compare.check(work, problem, bpnet_, runner)
        runs[dtype] = runner.run
    return Row(work, timed(runs, work, settings), peak("float32")[0])


def cells(rows: Sequence[Row]) -> Cells:
    head = ["net, batch", "float32", "float64", "float64's rate, of float32's", "promised"]
    return [head, *(line(row) for row in rows)]


def line(row: Row) -> list[str]:
    rate = pair(row.gain("float64"), row.gain("float64", "median"))
    return [row.work.name, *map(times, row.timings.values()), rate, f"{PROMISED:g}"]


TABLE = Table(
    "bpnet: microseconds a training step in both precisions, one thread",
    [Work("training", c) for c in TRAINING if c.sizes in NETS and c.optimizer == "adam"],
    measure,
    cells,
)
