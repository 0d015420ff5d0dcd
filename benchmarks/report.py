"""What was measured, as a Markdown table, JSON and a picture."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .tables import Row


def microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


def markdown(rows: Sequence[Row]) -> list[str]:
    """Minimum and, in brackets, median; bpnet first."""
    rivals = list(rows[0].timings)
    cells = [["net, batch", *rivals, "times the best rival", "of peak"]]
    for row in rows:
        times = [f"{microseconds(t.minimum)} ({microseconds(t.median)})" for t in row.timings.values()]
        lead = f"{row.lead():.2f} ({row.lead('median'):.2f})"
        cells.append([row.case.name, *times, lead, f"{row.share_of_peak:.1%}"])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return lines


def write(folder: Path, machine: Mapping[str, object], tables: Mapping[str, Sequence[Row]], text: str) -> list[Path]:
    """benchmarks.md, benchmarks.json and, with matplotlib, one PNG a table."""
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "benchmarks.md", folder / "benchmarks.json"]
    written[0].write_text(text + "\n", encoding="utf-8")
    figures = {name: [as_plain(row) for row in rows] for name, rows in tables.items()}
    written[1].write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n", encoding="utf-8")
    try:
        import matplotlib
    except ModuleNotFoundError:
        return written
    matplotlib.use("Agg")
    for name, rows in tables.items():
        written.append(folder / f"{name}.png")
        draw(rows, f"{name}: {machine['processor']}, {machine['dtype']}, {machine['date']}", written[-1])
    return written


def as_plain(row: Row) -> dict[str, object]:
    return {
        "sizes": row.case.sizes,
        "batch": row.case.batch,
        "activation": row.case.activation,
        "optimizer": row.case.optimizer,
        "flops": row.flops,
        "peak_gflops": row.peak,
        "seconds": {
            name: {"minimum": t.minimum, "median": t.median, "rounds": t.samples} for name, t in row.timings.items()
        },
    }


def draw(rows: Sequence[Row], title: str, path: Path) -> None:
    """A line a case, a mark a rival, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.5 + 0.45 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(rows))
    for rival, marker in zip(rows[0].timings, "osD^v<>X" * 4, strict=False):
        axes.plot([row.timings[rival].minimum * 1e6 for row in rows], places, marker, label=rival)
    axes.set_yticks(places, [row.case.name for row in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.grid(axis="both", alpha=0.3)
    axes.set_xlabel("microseconds, minimum")
    axes.set_title(title, fontsize="medium")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)
