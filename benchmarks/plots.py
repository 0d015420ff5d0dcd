"""The pictures. Colours are those of Okabe and Ito, which everybody tells apart; markers say the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes as Panel
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from .growth import AXES, WHAT, Axis
from .tables import Row

STYLE = {
    "bpnet": ("#0072B2", "o"),
    "bpnet, C++": ("#56B4E9", "h"),
    "NumPy": ("#999999", "s"),
    "scikit-learn": ("#E69F00", "D"),
    "PyTorch": ("#D55E00", "^"),
    "torch.compile": ("#D55E00", "v"),
    "JAX, jitted step": ("#009E73", "<"),
    "JAX, compiled loop": ("#009E73", ">"),
    "JAX, jitted": ("#009E73", "<"),
    "ONNX Runtime": ("#CC79A7", "P"),
}
INK, FAINT = "#333333", "#B0B0B0"
SHARE = "_share"  # no legend shows it


def look(name: str) -> dict[str, Any]:
    color, marker = STYLE.get(name, ("#000000", "X"))
    ours = name == "bpnet"
    return {"color": color, "marker": marker, "markersize": 6 if ours else 5, "zorder": 4 if ours else 3}


def draw_table(rows: Sequence[Row], title: str, path: Path) -> None:
    """A line a case, a mark a rival, on a logarithmic axis."""
    figure = Figure(figsize=(9, 1.5 + 0.45 * len(rows)), layout="constrained")
    panel = figure.add_subplot()
    places = range(len(rows))
    for rival in rows[0].timings:
        panel.plot([row.timings[rival].minimum * 1e6 for row in rows], places, linestyle="", label=rival, **look(rival))
    panel.set_yticks(places, [row.work.name for row in rows])
    panel.invert_yaxis()
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(FuncFormatter(plain))
    panel.grid(axis="both", alpha=0.3)
    panel.set_xlabel("microseconds, minimum")
    panel.set_title(title, fontsize="medium")
    panel.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=120)


def draw_growth(tables: Mapping[str, Sequence[Row]], title: str, path: Path) -> None:
    """A panel an axis: microseconds a step or a prediction, among lines of equal share of the peak."""
    lines = (len(tables) + 1) // 2
    figure = Figure(figsize=(11, 0.5 + 4 * lines), layout="constrained")
    panels = figure.subplots(lines, 2, squeeze=False).flatten()
    for panel, (name, rows) in zip(panels, tables.items(), strict=False):
        draw_panel(panel, rows, AXES[name])
    for panel in panels[len(tables) :]:
        panel.set_visible(False)
    known = {line.get_label(): line for panel in panels for line in panel.lines if line.get_label() != SHARE}
    figure.suptitle(title, color=INK)
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=len(known), frameon=False)
    figure.savefig(path, dpi=130)


def draw_panel(panel: Panel, rows: Sequence[Row], axis: Axis) -> None:
    numbers = [int(row.work.name) for row in rows]
    for rival in rows[0].timings:
        measured = [(n, row.timings[rival]) for n, row in zip(numbers, rows, strict=True) if rival in row.timings]
        times = [timing.minimum * 1e6 for _, timing in measured]
        width = 2.2 if rival == "bpnet" else 1.3
        panel.plot([n for n, _ in measured], times, label=rival, linewidth=width, **look(rival))
    panel.set(xscale="log", yscale="log", xlabel=axis.unit, ylabel=f"microseconds {WHAT[axis.kind]}")
    named = numbers[:: 1 + len(numbers) // 10]
    panel.set_xticks(named, list(map(str, named)))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=12))
    panel.yaxis.set_major_formatter(FuncFormatter(plain))
    panel.set_title(f"{axis.name}: {axis.network}", fontsize="medium", loc="left", color=INK)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize="small")
    draw_shares(panel, rows, numbers)


def draw_shares(panel: Panel, rows: Sequence[Row], numbers: Sequence[int]) -> None:
    """Lines of 100 %, 10 % and 1 % of the peak of the cores in use, as far as they pass through the panel."""
    low, high = panel.get_ylim()
    for share, dashes in ((1.0, "-"), (0.1, "--"), (0.01, ":")):
        line = [row.work.flops / (share * row.peak * row.work.threads) / 1e3 for row in rows]
        panel.plot(numbers, line, dashes, color=FAINT, linewidth=1, zorder=1, label=SHARE)
        low = min(low, line[-1] * 0.8) if share == 1 else low
        name_share(panel, f"{share:.0%} of peak", numbers, line, high)
    panel.set_ylim(low, high)


def name_share(panel: Panel, name: str, numbers: Sequence[int], line: Sequence[float], high: float) -> None:
    """Beside the end of the line or, where it ends above the panel, beside the place where it leaves it."""
    words = {"textcoords": "offset points", "color": "#777777", "fontsize": "x-small"}
    if line[-1] <= high:
        panel.annotate(name, (numbers[-1], line[-1]), xytext=(5, 0), va="center", **words)
    elif line[0] <= high:
        x = float(np.exp(np.interp(np.log(high), np.log(line), np.log(numbers))))
        panel.annotate(name, (x, high), xytext=(-6, -2), ha="right", va="top", **words)


def plain(value: float, _: int) -> str:
    return f"{value:,.10g}".replace(",", " ")
