"""`python -m benchmarks`: bpnet beside the rivals that are installed."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from . import machine, options, switches

if TYPE_CHECKING:  # they import NumPy, which is for after the switches are set
    from .cases import Work
    from .tables import Row, Settings


class Paper:
    """What is printed, kept for the file."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, *lines: str) -> None:
        for line in lines:
            self.lines.append(line)
            print(line, flush=True)


def main() -> None:
    asked = options.arguments()
    switches.settle(asked.avx2, asked.dtype == "float64")

    from . import compare, cpp, report
    from .peak import peak
    from .tables import Settings

    paper = Paper()
    gflops, how = peak(asked.dtype)
    here = machine.describe(asked.dtype) | {"peak": f"{gflops:.0f} GFLOP/s on one core, by {how}"}
    if asked.avx2:
        here["held to"] = "AVX2, everybody"
    paper.say(*(f"{name}: {value}  " for name, value in here.items()))
    programs = compiled(asked, paper)
    found = competitors(asked, programs, gflops, paper)

    rounds, seconds = (5, 0.03) if asked.quick else (15, 0.15)
    settings = Settings(asked.dtype, rounds, seconds, asked.threads or machine.cores())
    try:
        measured = {name: rows for name, rows in tables(asked, found, settings, paper) if rows}
    except compare.DisagreementError as error:
        sys.exit(str(error))
    layers = cpp.layers(programs) if programs else []
    paper.say(*layers)
    if asked.output:
        also = {"machine": here, **({"layers": cpp.as_plain(layers)} if layers else {})}
        written = report.write(asked.output, also, measured, "\n".join(paper.lines))
        print("", *(f"written: {path}" for path in written), sep="\n")
        if not any(path.suffix == ".png" for path in written):
            print("no pictures: matplotlib is not installed, or no table has one")


def compiled(asked: Namespace, paper: Paper) -> Path | None:
    """The folder with the C++ programs, where they are asked for and can be had."""
    from . import cpp
    from .rivals import cpp_

    if asked.cpp is None:
        return None
    try:
        folder = cpp.build(Path(asked.cpp) if asked.cpp else None)
    except cpp.NoProgramsError as error:
        paper.say(f"bpnet from C++ is left out: {error}")
        return None
    cpp_.program = folder / "rival"
    return folder


def competitors(asked: Namespace, programs: Path | None, gflops: float, paper: Paper) -> list[ModuleType]:
    """bpnet, then the others; who is missing or left out is named."""
    from . import avx2, rivals

    known = [name for name in rivals.MODULES if not (asked.quick and name == rivals.COMPILES_LONG)]
    if unknown := set(asked.rivals or ()) - set(rivals.MODULES):
        sys.exit(f"--rivals: there is no {', '.join(sorted(unknown))}; there are {', '.join(rivals.MODULES)}")
    names = ["bpnet_", *([rivals.FROM_CPP] if programs else []), *(asked.rivals or known)]
    found, missing = rivals.load(tuple(dict.fromkeys(names)))
    paper.say(*missing)
    if asked.avx2:
        found, loose = avx2.held(found, asked.dtype, gflops)
        paper.say(*loose)
    return found


def tables(
    asked: Namespace, found: list[ModuleType], settings: Settings, paper: Paper
) -> Iterator[tuple[str, list[Row]]]:
    """Name and rows of one table after the other, each printed when it is done."""
    from . import beside, growth, precision, text, threads

    known = {
        "training": beside.STEPS,
        "rare": beside.STEPS_OF_RARE_INPUTS,
        "prediction": beside.PREDICTIONS,
        "precision": precision.TABLE,
        "threads": threads.TABLE,
        **growth.tables(asked.quick, asked.up_to, settings.threads),
    }
    for name, table in known.items():
        if name.partition("_")[0] not in asked.table:
            continue
        rows = []
        for work in chosen(asked, table.works):
            rows.append(table.measure(found, work, settings))
            print(f"  {name}: {work.name}", file=sys.stderr, flush=True)
        if rows:
            title = table.title.format(dtype=settings.dtype)
            rounds = len(next(iter(rows[0].timings.values())).samples)
            paper.say("", f"{title}: minimum (median of {rounds} rounds)", "")
            paper.say(*text.markdown(table.cells(rows)))
        yield name, rows


def chosen(asked: Namespace, works: Sequence[Work]) -> list[Work]:
    if asked.rows:
        return [work for work in works if any(part in work.case.name for part in asked.rows)]
    return [work for work in works if work.case.quick or not asked.quick]


if __name__ == "__main__":
    main()
