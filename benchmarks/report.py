"""What was measured, written to a folder: Markdown as printed, JSON, pictures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .growth import AXES
from .tables import Row, as_plain


def write(folder: Path, also: Mapping[str, Any], tables: Mapping[str, Sequence[Row]], text: str) -> list[Path]:
    """benchmarks.md, benchmarks.json and, with matplotlib, training.png, rare.png, prediction.png, growth.png.

    `also` goes into the JSON as it is; its "machine" makes the titles.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "benchmarks.md", folder / "benchmarks.json"]
    written[0].write_text(text + "\n", encoding="utf-8")
    figures = {name: [as_plain(row) for row in rows] for name, rows in tables.items()}
    written[1].write_text(json.dumps({**also, **figures}, indent=1) + "\n", encoding="utf-8")
    try:
        from . import plots
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return written
    machine = also["machine"]
    title = f"{machine['processor']}, {machine['dtype']}, {machine['date']}"
    for name in ("training", "rare", "prediction"):
        if name not in tables:
            continue
        written.append(folder / f"{name}.png")
        plots.draw_table(tables[name], f"{name}: {title}", written[-1])
    if grown := {name: tables[name] for name in AXES if tables.get(name)}:
        written.append(folder / "growth.png")
        plots.draw_growth(grown, f"bpnet and others: {title}", written[-1])
    return written
