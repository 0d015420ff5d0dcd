"""Pictures of networks and of their training, by matplotlib (the extra ``plot``), which is imported on first use.

The figures belong to no window system and no global state: each function returns the axes it drew on, and
``ax.figure.savefig(path)`` writes the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bpnet import History, Network

__all__ = ["decision_regions", "learning_curve", "save_demo"]

FIRST, SECOND = "#c8501e", "#1f5fa8"  # class 1 and class 0; they differ in lightness on any screen
MISSING = "matplotlib is not installed; `pip install 'bpnet[plot]'` brings it"


def decision_regions(
    net: Network, x: ArrayLike, y: ArrayLike | None = None, ax: Axes | None = None, *, resolution: int = 300
) -> Axes:
    """Draws the output of a two-input, one-output network over the square around x, and the points x.

    Parameters
    ----------
    net : Network
        Sizes 2, ..., 1, with an output in [0, 1].
    x : array_like, shape (m, 2)
        Points that the picture must hold.
    y : array_like, shape (m,), optional
        0 or 1 a point; without it the points are not drawn.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    resolution : int
        Points a side at which the network is asked.

    Returns
    -------
    Axes
    """
    if net.sizes[0] != 2 or net.sizes[-1] != 1:
        raise ValueError(
            f"net has {net.sizes[0]} inputs and {net.sizes[-1]} outputs, but decision regions need 2 and 1"
        )
    ax = _axes(ax)
    points = np.asarray(x)
    low, high = square_around(points)
    p = on_grid(net, low, high, resolution)
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("bpnet", ["#a9c6e8", "#ffffff", "#f6c3a6"])
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(p, extent=extent, origin="upper", cmap=colours, vmin=0, vmax=1, interpolation="bilinear")
    ax.contour(p, levels=[0.5], extent=extent, origin="upper", colors="#444444", linewidths=0.8)
    if y is not None:
        first = np.asarray(y).ravel() > 0.5
        for mask, colour in ((first, FIRST), (~first, SECOND)):
            ax.scatter(
                points[mask, 0], points[mask, 1], s=14, color=colour, edgecolors="white", linewidths=0.5, zorder=3
            )
    ax.set_aspect("equal")
    return ax


def learning_curve(history: History, ax: Axes | None = None) -> Axes:
    """Draws the cost of each epoch, and the validation cost where there is one, on a logarithmic axis.

    Parameters
    ----------
    history : History
        What ``fit`` returned.
    ax : Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    Axes
    """
    ax = _axes(ax)
    # the first one broad and pale: where both fall together it still shows
    epochs = np.arange(1, len(history.cost) + 1)
    ax.plot(epochs, history.cost, label="training", color=FIRST, linewidth=3.5, alpha=0.45)
    if history.validation_cost:
        ax.plot(epochs, history.validation_cost, label="validation", color=SECOND, linewidth=1.1)
    if max(history.cost, default=0.0) > 0:
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("cost")
    ax.grid(alpha=0.25, linewidth=0.6)
    ax.legend(frameon=False)
    return ax


def save_demo(path: str | os.PathLike[str], net: Network, x: ArrayLike, y: ArrayLike, history: History) -> None:
    """Writes the decision regions and the learning curve side by side; the file's ending says which format."""
    figure = new_figure(11.0, 5.0)
    left, right = figure.subplots(1, 2)
    decision_regions(net, x, y, left)
    left.set_title("two spirals: regions and training points")
    learning_curve(history, right)
    right.set_title("learning curve (validation: unseen points)")
    figure.savefig(path, dpi=130)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches. ImportError, with the remedy, where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401  (first, so that a missing one is noticed here)
    except ImportError as error:
        raise ImportError(MISSING) from error
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def square_around(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Lower left and upper right corner of a square that holds every point, with a margin of 8 %."""
    low, high = x.min(axis=0), x.max(axis=0)
    half = 0.54 * (float((high - low).max()) or 1.0)
    middle = (low + high) / 2
    return middle - half, middle + half


def on_grid(net: Network, low: ArrayLike, high: ArrayLike, side: int, threads: int | None = None) -> NDArray[Any]:
    """Output at the middles of side x side squares, shape (side, side): first row at the top, first column left."""
    (left, bottom), (right, top) = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    middle = (np.arange(side) + 0.5) / side
    x1, x2 = np.meshgrid(left + (right - left) * middle, top - (top - bottom) * middle)
    points = np.stack([x1.ravel(), x2.ravel()], axis=1).astype(net.dtype)
    return np.asarray(net.predict(points, threads=threads)).reshape(side, side)


def _axes(ax: Axes | None) -> Axes:
    return new_figure(5.5, 5.0).subplots() if ax is None else ax
