"""How the cost of a training step grows with batch, width, depth and threads, and of a prediction with its samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

from .cases import Case, Work
from .tables import Cells, Row, Settings, Table, beside_rivals
from .text import times
from .threads import counts

RIVALS = {  # the ones that are set up quickly
    "training": ("bpnet_", "cpp_", "numpy_", "torch_eager", "jax_loop"),
    "prediction": ("bpnet_", "cpp_", "numpy_", "torch_eager", "onnx_"),
}
WHAT = {"training": "a training step", "prediction": "a prediction"}


@dataclass(frozen=True)
class Axis:
    """What grows, through which numbers, while everything else of the network stays."""

    name: str
    unit: str
    network: str
    numbers: tuple[int, ...]
    case: Callable[[int], Case]
    kind: str = "training"  # of work

    def table(self, works: Sequence[Work]) -> Table:
        title = f"Microseconds {WHAT[self.kind]} of {self.network} by {self.name}, {{dtype}}"
        return Table(title, works, beside_some, partial(cells, self.name))


BATCH = Axis(
    "batch", "samples in a batch", "10-50-50-1", tuple(1 << k for k in range(13)), lambda n: Case((10, 50, 50, 1), n)
)
WIDTH = Axis("width", "width n", "n-n-n, batch 64", tuple(8 << k for k in range(9)), lambda n: Case((n, n, n), 64))
DEPTH = Axis("depth", "layers", "64-64-...-64, batch 64", (1, 2, 4, 8, 16), lambda n: Case((64,) * (n + 1), 64))
THREADS = Axis(
    "threads",
    "threads (those of NumPy and JAX are fixed when they start)",
    "64-64-64-10, batch 4096",
    (),
    lambda _: Case((64, 64, 64, 10), 4096),
)
SAMPLES = Axis(
    "samples",
    "samples predicted at a time",
    "64-64-64-10",
    tuple(1 << k for k in range(11)),
    lambda n: Case((64, 64, 64, 10), n),
    "prediction",
)
WIDE_SAMPLES = replace(
    SAMPLES,
    network="2048-2048-2048",
    numbers=tuple(1 << k for k in range(10)),
    case=lambda n: Case((2048, 2048, 2048), n),
)
AXES = {f"growth_{axis.name}": axis for axis in (BATCH, WIDTH, DEPTH, THREADS, SAMPLES)}
AXES["growth_wide_samples"] = WIDE_SAMPLES


def tables(quick: bool, most: int, threads: int) -> dict[str, Table]:
    """By name; no batch, width or depth above `most`, and with `quick` every other one."""
    made = {}
    for name, axis in AXES.items():
        numbers = counts(threads) if axis is THREADS else [n for n in axis.numbers[:: 1 + quick] if n <= most]
        works = [Work(axis.kind, of_many_steps(axis.case(n)), str(n), n if axis is THREADS else 1) for n in numbers]
        made[name] = axis.table(works)
    return made


def of_many_steps(case: Case) -> Case:
    """With so many minibatches that what a call of `fit` and each of its epochs cost is shared by all."""
    steps = round(1e8 / Work("training", case).flops)
    return replace(case, minibatches=max(8, min(64, steps)))


def beside_some(rivals: list[ModuleType], work: Work, settings: Settings) -> Row:
    """The quick ones; on several threads those that need not know their number when the process starts."""
    some = [r for r in rivals if r.__name__.rpartition(".")[2] in RIVALS[work.kind]]
    if work.threads > 1:
        some = [r for r in some if getattr(r, "THREADS", False)]
    # many points, read as curves: shorter rounds do
    return beside_rivals(
        some, work, replace(settings, rounds=min(7, settings.rounds), seconds=min(0.1, settings.seconds))
    )


def cells(axis: str, rows: Sequence[Row]) -> Cells:
    names = list(rows[0].timings)
    return [[axis, *names, "times the best rival", "of peak"], *(line(row, names) for row in rows)]


def line(row: Row, names: Sequence[str]) -> list[str]:
    figures = [times(row.timings[name]) if name in row.timings else "" for name in names]
    lead = f"{row.lead():.2f}" if len(row.timings) > 1 else ""
    return [row.work.name, *figures, lead, f"{row.share_of_peak():.1%}"]
