"""bpnet beside its rivals: training steps and predictions."""

from collections.abc import Sequence

from .cases import PREDICTION, RARE, TRAINING, Work
from .tables import Cells, Row, Table, beside_rivals
from .text import microseconds, pair, times


def cells(rows: Sequence[Row]) -> Cells:
    """Minimum and, in brackets, median; bpnet first. With bpnet from C++ beside it, what Python adds."""
    from_cpp = "bpnet, C++" in rows[0].timings
    head = ["net, batch", *rows[0].timings, *["Python adds"] * from_cpp, "times the best rival", "of peak"]
    return [head, *(line(row, from_cpp) for row in rows)]


def line(row: Row, from_cpp: bool) -> list[str]:
    binding = []
    if from_cpp:
        added = row.timings["bpnet"].minimum - row.timings["bpnet, C++"].minimum
        binding = ["-" * (added < 0) + microseconds(abs(added))]
    lead = pair(row.lead(), row.lead("median"))
    return [row.work.name, *map(times, row.timings.values()), *binding, lead, f"{row.share_of_peak():.1%}"]


STEPS = Table(
    "Microseconds a training step, {dtype}, one thread", [Work("training", c) for c in TRAINING], beside_rivals, cells
)
STEPS_OF_RARE_INPUTS = Table(
    "Microseconds a training step where most moments have faded, {dtype}, one thread",
    [Work("training", c) for c in RARE],
    beside_rivals,
    cells,
)
PREDICTIONS = Table(
    "Microseconds a prediction, NumPy array in and out, {dtype}, one thread",
    [Work("prediction", c) for c in PREDICTION],
    beside_rivals,
    cells,
)
