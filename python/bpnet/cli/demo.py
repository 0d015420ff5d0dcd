"""`bpnet demo`: learn to tell two spirals apart, from nothing to a picture."""

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import bpnet
from bpnet import plotting
from bpnet.cli import terminal
from bpnet.datasets import two_spirals

__all__ = ["demo"]

TARGET = 0.99  # accuracy on the unseen points
BATCH_SIZE = 32
LEARNING_RATE = 5e-3  # falls to 0 along a half cosine


def demo(
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the 194 points.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the initial weights and the order of the points.")] = 1,
    hidden: Annotated[str, typer.Option(help="Widths of the hidden layers, with commas between.")] = "32,32",
    output: Annotated[Path, typer.Option(help="Where the picture goes.")] = Path("bpnet-demo.png"),
    plot: Annotated[bool, typer.Option("--plot/--no-plot", help="Write the picture (needs matplotlib).")] = True,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: what this process may use.")] = None,
) -> None:
    """Train a network on the two-spirals problem and draw what it learned.

    It learns from the 194 points of Lang and Witbrock (1988) and is judged on 1536 points of the same two curves that
    lie between them. The exit code is 0 if at least 99 % of those are told apart.
    """
    began = perf_counter()
    console = Console(highlight=False)
    widths = _widths(hidden)
    if plot and not output.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.absolute().parent}", param_hint="--output")

    x, y = two_spirals()
    x_unseen, y_unseen = two_spirals(768, start=1 / 16, stop=96 - 1 / 16)  # at i = 1/16, 3/16, ...: never a whole i
    net = bpnet.Network([2, *widths, 1], activation="sine", output_activation="sigmoid", seed=seed)
    net.normalize(x)
    console.print(f"two spirals: {len(x)} training points, {len(x_unseen)} unseen points between them", soft_wrap=True)
    console.print(f"network {'-'.join(map(str, net.sizes))}, {net.n_parameters} parameters, seed {seed}")

    steps = epochs * -(-len(x) // BATCH_SIZE)
    schedule = bpnet.CosineDecay(initial=LEARNING_RATE, final=0.0, steps=steps)
    try:
        history = net.fit(
            x,
            y,
            cost="binary_cross_entropy",
            optimizer=bpnet.Adam(learning_rate=schedule),
            epochs=epochs,
            batch_size=BATCH_SIZE,
            validation=(x_unseen, y_unseen),
            threads=threads,
            progress=True,
        )
    except bpnet.DivergenceError as error:
        console.print(f"the training diverged: {error}", markup=False)
        raise typer.Exit(1) from error

    _draw(console, net, x, y, threads)
    reached = _report(console, net, {"training": (x, y), "unseen": (x_unseen, y_unseen)}, threads)
    console.print(
        f"trained in {history.seconds:.2f} s ({history.steps} steps, a look at the unseen points after each epoch), "
        f"{perf_counter() - began:.2f} s in all",
        soft_wrap=True,
    )
    written = not plot or _save(console, output, net, x, y, history)
    if reached < TARGET:
        console.print(f"missed the target: {TARGET:.0%} of the unseen points (more --epochs?)")
    if reached < TARGET or not written:
        raise typer.Exit(1)


def _widths(text: str) -> list[int]:
    """ "32,32" as [32, 32]; an empty text is no hidden layer."""
    try:
        widths = [int(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        widths = [0]
    if any(width < 1 for width in widths):
        raise typer.BadParameter(f"{text!r} is not a list of positive widths such as 32,32", param_hint="--hidden")
    return widths


def _draw(console: Console, net: bpnet.Network, x: NDArray[Any], y: NDArray[Any], threads: int | None) -> None:
    """The decision regions over the square around x, as large as the terminal's width allows up to 60 cells."""
    side = max(min(console.width, 60) // 2 * 2, 2)
    low, high = plotting.square_around(x)
    p = plotting.on_grid(net, low, high, side, threads)
    columns, rows_upwards = ((x - low) / (high - low) * side).astype(np.intp).T
    terminal.field(console, p, np.stack([side - 1 - rows_upwards, columns], axis=1), y)


def _report(
    console: Console, net: bpnet.Network, sets: dict[str, tuple[NDArray[Any], NDArray[Any]]], threads: int | None
) -> float:
    """Prints cost and accuracy of each set, a row each; returns the last set's accuracy."""
    accuracy = 0.0
    table = Table(box=None, pad_edge=False)
    for heading in ("points", "number", "cost", "accuracy"):
        table.add_column(heading, justify="left" if heading == "points" else "right")
    for name, (x, y) in sets.items():
        accuracy = float(np.mean((net.predict(x, threads=threads)[:, 0] > 0.5) == (y > 0.5)))
        cost = net.cost(x, y, "binary_cross_entropy", threads=threads)
        table.add_row(name, str(len(x)), f"{cost:.2e}", f"{accuracy:.2%}")
    console.print(table)
    return accuracy


def _save(
    console: Console, path: Path, net: bpnet.Network, x: NDArray[Any], y: NDArray[Any], history: bpnet.History
) -> bool:
    """Writes the picture; false where it was wanted, possible, and failed."""
    try:
        plotting.save_demo(path, net, x, y, history)
    except ImportError as error:
        console.print(f"no picture file: {error}", markup=False, soft_wrap=True)
    except (OSError, ValueError) as error:  # no permission, an ending matplotlib does not know
        console.print(f"could not write {path}: {error}", markup=False, soft_wrap=True)
        return False
    else:
        console.print(f"wrote {path.absolute()}", markup=False, soft_wrap=True)
    return True
