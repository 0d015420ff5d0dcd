"""Fits the polynomials of cpp/include/bpnet/engine/elementary/logistic_pieces.hpp and prints that file.

    python tools/fit_logistic.py | diff - cpp/include/bpnet/engine/elementary/logistic_pieces.hpp

Each piece is a minimax fit (Lawson's iteration: least squares, reweighted by the error) whose coefficients are rounded
to float32 one after the other, lowest first, the rest fitted again each time. Takes seconds; needs NumPy and mpmath.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mpmath import mp, mpf

mp.dps = 40
DEGREE = 7
PIECES = 8
OVERLAP = 1e-4  # the border between pieces is where t / width is rounded, in float32
SIGMOID_WIDTH, TANH_WIDTH = 1.3, 0.7


@dataclass(frozen=True)
class Piece:
    """f on [low, high]; where the error may be as large as `scale`, it weighs 1."""

    f: Callable
    low: float
    high: float
    scale: Callable = abs
    centre: float | None = None
    lowest: tuple[float, ...] = ()  # coefficients that are not to be fitted


def least_squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By Gram and Schmidt, twice, in the dtype of `a`: NumPy's own knows no long double."""
    size = np.sqrt((a * a).sum(0))
    q, r = a / size, np.zeros((a.shape[1],) * 2, a.dtype)
    for k in range(len(r)):
        for _ in range(2):
            projection = q[:, :k].T @ q[:, k]
            r[:k, k] += projection
            q[:, k] -= q[:, :k] @ projection
        r[k, k] = np.sqrt(q[:, k] @ q[:, k])
        q[:, k] /= r[k, k]
    y, x = q.T @ b, np.zeros(len(r), a.dtype)
    for k in reversed(range(len(r))):
        x[k] = (y[k] - r[k, k + 1 :] @ x[k + 1 :]) / r[k, k]
    return x / size


def minimax(x: np.ndarray, f: np.ndarray, weight: np.ndarray, powers: range) -> np.ndarray:
    """Coefficients of x^p whose greatest error, times `weight`, is least."""
    a = np.stack([x**p for p in powers], 1) * weight[:, None]
    b = f * weight
    share, best, found = np.ones_like(x), np.inf, np.zeros(len(powers))
    for _ in range(60):
        root = np.sqrt(share)
        c = least_squares(a * root[:, None], b * root)
        error = np.abs(a @ c - b)
        if error.max() < best:
            best, found = error.max(), c
        share = share * error
        share /= share.sum()
    return found


def near_middle(piece: Piece) -> np.float32:
    """A float32 where f is nearly one too, so that rounding the constant term costs nothing."""
    middle, width = (piece.low + piece.high) / 2, piece.high - piece.low
    candidates = [np.float32(middle + k * 1e-5 * width) for k in range(-600, 601)]

    def lost(candidate: np.float32) -> mpf:
        value = piece.f(mpf(float(candidate)))
        return abs(mpf(float(np.float32(value))) / value - 1)

    return min(candidates, key=lost)


def fit(piece: Piece) -> tuple[np.float32, list[np.float32]]:
    """Centre and coefficients."""
    centre = near_middle(piece) if piece.centre is None else np.float32(piece.centre)
    angles = np.pi * (np.arange(400) + 0.5) / 400
    nodes = [mpf(float(v)) for v in np.cos(angles) * (piece.high - piece.low) / 2 + (piece.low + piece.high) / 2]
    values = [piece.f(v) for v in nodes]
    x = np.array([np.longdouble(float(v)) for v in nodes]) - np.longdouble(centre)
    rest = np.array([np.longdouble(mp.nstr(v, 30)) for v in values])
    weight = np.array([np.longdouble(mp.nstr(1 / abs(piece.scale(v)), 30)) for v in values])
    c = [np.float32(v) for v in piece.lowest] or [np.float32(piece.f(mpf(float(centre))))]
    for power, known in enumerate(c):
        rest = rest - np.longdouble(known) * x**power
    for power in range(len(c), DEGREE + 1):
        c.append(np.float32(minimax(x, rest, weight, range(power, DEGREE + 1))[0]))
        rest = rest - np.longdouble(c[power]) * x**power
    return centre, c


def borders(k: int, width: float) -> tuple[float, float]:
    return max(0.0, (k - 0.5) * width - OVERLAP), (k + 0.5) * width + OVERLAP


def sigmoid_pieces() -> list[Piece]:
    def w(t):  # sigmoid(-t)
        return 1 / (1 + mp.exp(t))

    first = Piece(w, *borders(0, SIGMOID_WIDTH), centre=0, lowest=(0.5,))
    return [first, *(Piece(w, *borders(k, SIGMOID_WIDTH)) for k in range(1, PIECES))]


def tanh_pieces() -> list[Piece]:
    def less(base):
        return lambda t: base - mp.tanh(t)

    def error_of_half(p):  # tanh = 1/2 - p, and its slope, are to be accurate; 1 - tanh is what the slope hangs on
        return min(abs(mpf(0.5) - p), 2 * abs(mpf(0.5) + p))

    near = Piece(less(0), *borders(0, TANH_WIDTH), centre=0, lowest=(0, -1, 0))
    middle = Piece(less(mpf(0.5)), *borders(1, TANH_WIDTH), scale=error_of_half)
    return [near, middle, *(Piece(less(1), *borders(k, TANH_WIDTH)) for k in range(2, PIECES))]


def hexadecimal(x: np.float32) -> str:
    digits, exponent = float(x).hex().split("p")
    whole, _, fraction = digits.partition(".")
    fraction = fraction[:6].rstrip("0")  # a float32 has 23 binary digits
    return f"{whole}{'.' if fraction else ''}{fraction}p{exponent}f"


def eight(numbers: list[np.float32], indent: str) -> str:
    words = [hexadecimal(v) for v in numbers]
    return f"{{{', '.join(words[:4])},\n{indent} {', '.join(words[4:])}}}"


def struct(name: str, comment: str, width: float, pieces: list[Piece]) -> str:
    fits = [fit(piece) for piece in pieces]
    end = np.float32((PIECES - 0.5) * width - OVERLAP)
    table = ",\n".join(f"      {eight([c[power] for _, c in fits], ' ' * 6)}" for power in range(DEGREE + 1))
    return f"""/// {comment}
struct {name} {{
  static constexpr float inverse_width = {hexadecimal(np.float32(1 / width))}, end = {hexadecimal(end)};
  static constexpr Eight centre{eight([centre for centre, _ in fits], " " * 29)};
  static constexpr Eight c[] = {{
{table}}};
}};
"""


HEAD = """/// Sigmoid and tanh of float32 by pieces: coefficients, printed by tools/fit_logistic.py.
///
/// Piece k of t >= 0 is where t * inverse_width rounds to k, as far as `end`; in it a function is the polynomial
/// c[0] + c[1] r + c[2] r^2 + ..., r = t - centre, each looked up with k.
#pragma once

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

// clang-format off
"""


def main() -> None:
    sigmoid = struct("SigmoidPieces", "sigmoid(-t).", SIGMOID_WIDTH, sigmoid_pieces())
    tanh = struct("TanhPieces", "base - tanh(t); rest = 1 - base^2.", TANH_WIDTH, tanh_pieces()).removesuffix("};\n")
    tanh += "  static constexpr Eight base{0, 0.5f, 1, 1, 1, 1, 1, 1}, rest{1, 0.75f, 0, 0, 0, 0, 0, 0};\n};\n"
    print(f"{HEAD}{sigmoid}\n{tanh}// clang-format on\n\n}}  // namespace bpnet::engine")


if __name__ == "__main__":
    main()
