"""A few inputs with their outputs, kept in every model file, and how far a machine that loads it may stray from them.

Most machines reproduce the outputs bit for bit. One without fused multiply-add, or a later release with a better exp(),
rounds differently, by an amount that depends on the weights. So where bits differ, NumPy evaluates the network once
more, in float64, together with a bound on what rounding can do to each output.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._network import Network

ROWS = 3
ROWS_MOST = 16  # that a file may bring
_SCRATCH_MOST = 1 << 26  # bytes that loading may take to see whether the engine agrees
_BLOCK = 1 << 17  # bytes of weights that are looked at in one go
_UNITS = 1 << 12  # of a layer that are looked at in one go
_GOLDEN = 0.6180339887498949
_ULPS = 16  # what an activation may be wrong by: the published tables say 4


def inputs(net: Network) -> NDArray[Any]:
    """(ROWS, n_0): evenly spread over +-2 standard deviations around the mean, the same for ever."""
    n = net.sizes[0]
    spread = 4 * np.mod(np.arange(1, ROWS * n + 1) * _GOLDEN, 1).reshape(ROWS, n) - 2
    if net.input_shift is not None and net.input_scale is not None:
        with np.errstate(over="ignore"):
            spread = spread * net.input_scale + net.input_shift
    limit = np.finfo(net.dtype).max
    x: NDArray[Any] = np.clip(spread, -limit, limit).astype(net.dtype)
    return x


def outputs(net: Network, x: NDArray[Any]) -> NDArray[Any]:
    """What the network gives for each row on its own; a NaN is always the same NaN."""
    y = np.stack([net._native.predict(row) for row in x])  # a subclass may have a predict of its own
    y[np.isnan(y)] = np.nan
    return y


def check(net: Network, x: NDArray[Any], y: NDArray[Any], spare: int) -> None:
    """ValueError where the network does not give y for x. Asks the engine first where `spare` bytes are enough."""
    scratch = _scratch(net)
    if scratch <= spare and np.array_equal(outputs(net, x), y, equal_nan=True):
        return
    _compare(net, x, y, "self_test.y says")
    if scratch <= _SCRATCH_MOST:  # the file is good; is the engine?
        now = outputs(net, x)
        if not np.array_equal(now, y, equal_nan=True):
            _compare(net, x, now, "this machine's engine gives")


def _compare(net: Network, x: NDArray[Any], y: NDArray[Any], whose: str) -> None:
    with np.errstate(all="ignore"):
        for row in range(len(x)):
            expected, allowed = evaluate(net, x[row])
            wrong = ~(np.abs(y[row] - expected) <= allowed) & np.isfinite(allowed)
            if wrong.any():
                i = int(wrong.argmax())
                raise ValueError(
                    f"the self-test failed: output {i} for row {row} of self_test.x is {expected[i]:.9g}, but {whose} "
                    f"{y[row, i]:.9g}"
                )


def evaluate(net: Network, x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The outputs (n_L,) for one x (n_0,), and how far rounding in the network's dtype may take them. (F1, F2)

    Infinite where something may overflow, or where parameters are not finite.
    """
    limits = np.finfo(net.dtype)
    unit, most = float(limits.eps) / 2, float(limits.max) / 4
    a, error = x.astype(np.float64), np.zeros(len(x))
    overflown = np.zeros(net.sizes[-1]), np.full(net.sizes[-1], np.inf)
    if net.input_shift is not None and net.input_scale is not None:
        if not np.abs(a).max() + np.abs(net.input_shift).max() <= most:
            return overflown
        a = (a - net.input_shift) / net.input_scale
        error = 4 * unit * np.abs(a)
    for (W, b), name in zip(layers(net), net.activations, strict=True):
        layer = _layer(W, b, name, a, error, limits)
        if layer is None:
            return overflown
        a, error = layer
    if net.output_shift is not None and net.output_scale is not None:
        a = a * net.output_scale
        error = error * net.output_scale + 4 * unit * (np.abs(a) + np.abs(net.output_shift))
        a = a + net.output_shift
    error[~(np.abs(a) <= most)] = np.inf
    return a, 2 * error  # twice, since float64 is itself rounded


def layers(net: Network) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """W^l and b^l one after the other: a hundred thousand views at once would be more than the numbers in them."""
    theta, begin = net._native.parameters, 0
    for n_in, n_out in zip(net.sizes, net.sizes[1:], strict=False):
        end = begin + n_in * n_out
        yield theta[begin:end].reshape(n_in, n_out).T, theta[end : end + n_out]
        begin = end + n_out


def _layer(
    W: NDArray[Any], b: NDArray[Any], name: str, a: NDArray[np.float64], error: NDArray[np.float64], limits: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """f(W a + b) and what its error may be. (F1, F2) None where it may overflow, or is not finite.

    z is a chain of n products: rounding moves it by at most n + 2 units of |W| |a| + |b|, the error of a by |W| error.
    """
    unit, tiny = float(limits.eps) / 2, float(limits.tiny)
    out, moved = np.empty(len(b)), np.empty(len(b))
    for j in range(0, len(b), _UNITS):
        part = slice(j, j + _UNITS)
        z, shift, size = _products(W[part], b[part], a, error)
        if not size.max() <= float(limits.max) / 4:
            return None
        shift += (len(a) + 2) * (unit * size + tiny)
        out[part], moved[part] = (z, shift) if name == "softmax" else _activate(name, z, shift)
    ulps = _ULPS
    if name == "softmax":  # no entry moves by more than half of what the z do
        out = np.exp(out - out.max())
        out /= out.sum()
        moved[:] = min(1.0, float(moved.max()))
        ulps += len(b)
    moved += 2 * ulps * unit * np.abs(out) + tiny
    return out, moved


def _products(
    W: NDArray[Any], b: NDArray[Any], a: NDArray[np.float64], error: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """W a + b, |W| error and |W| (|a| + error) + |b|, in float64. (F1)"""
    z = b.astype(np.float64)
    moved = np.zeros_like(z)
    size = np.abs(z)
    step = max(1, _BLOCK // 8 // len(b))  # inputs; their weights lie side by side
    for i in range(0, len(a), step):
        part = W[:, i : i + step].astype(np.float64)
        z += part @ a[i : i + step]
        np.abs(part, out=part)
        moved += part @ error[i : i + step]
        size += part @ (np.abs(a[i : i + step]) + error[i : i + step])
    return z, moved, size


def _activate(
    name: str, z: NDArray[np.float64], error: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """f(z), and how far f(z + e) may lie from it for |e| <= error."""
    a = _core.elementwise(name, z, False)
    low, high = _core.activation_range(name)
    return a, np.minimum(a * np.expm1(error) if name == "exponential" else _steepest(name) * error, high - low)


@functools.cache
def _steepest(name: str) -> float:
    """No slope of this activation is larger; exponential has none that is the largest."""
    return 1.01 * float(np.abs(_core.elementwise(name, np.linspace(-10, 10, 2001), True)).max())


def _scratch(net: Network) -> int:
    """About the bytes that one prediction takes: room for a tile of 64 samples, as workspace.hpp makes it."""
    room = [64 * n if n >= 16 else 192 for n in net.sizes]
    return net.dtype.itemsize * (2 * sum(room) + 3 * max(room) + 9 * room[-1])
