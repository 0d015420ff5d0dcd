"""The warning for targets that the output activation cannot reach."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from . import _core
from ._arrays import as_array
from ._errors import TargetRangeWarning

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ._network import Network


def warn_of_targets_out_of_range(net: Network, y: ArrayLike) -> None:
    """Warns once in a network's life, at the user's line, where y lies outside what the network can give."""
    if net._warned:
        return
    y = as_array("y", y).view(np.ndarray)  # whatever a subclass makes of a minimum
    if net.sizes[-1] > 1 and y.ndim < 2:  # class labels, one sample, or refused later
        if net.output_shift is not None and y.dtype.kind in "iu" and y.shape != (net.sizes[-1],):
            _warn(
                net,
                "y has class labels, but the network standardises y: what cross_entropy sees are no probabilities. "
                "Take net.normalize(x) alone",
            )
        return
    if y.ndim > 1 and y.shape[1:] != (net.sizes[-1],):  # refused later, beside x
        return
    if net._native.targets_in_range(y):
        return
    low, high = float(np.fmin.reduce(y, axis=None)), float(np.fmax.reduce(y, axis=None))  # which pass over NaN
    if max(-low, high) > float(np.finfo(net.dtype).max):  # which is refused, and not for its range
        return
    name = net.activations[-1]
    _warn(
        net,
        f"y goes from {low:.4g} to {high:.4g}, but the network's output {_reach(net, name)}: no training can fit that. "
        'Take output_activation="identity" (with net.normalize(y=y) where y is far from unit scale), or rescale y',
    )


def _warn(net: Network, text: str) -> None:
    import warnings

    net._warned = True
    warnings.warn(text, TargetRangeWarning, stacklevel=_levels_to_user())


def _reach(net: Network, name: str) -> str:
    low, high = _core.activation_range(name)
    scaled = " of the standardised y" if net.output_shift is not None else ""
    if np.isinf(high):
        return f"({name}) reaches only values{scaled} from {low:.4g} up"
    return f"({name}) reaches only values{scaled} between {low:.4g} and {high:.4g}"


def _levels_to_user() -> int:
    """The stacklevel, seen from the caller, of the first frame outside this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "bpnet":
        frame, level = frame.f_back, level + 1
    return level
