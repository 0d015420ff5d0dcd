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
PIECES = 16
OVERLAP = 1e-4  # the border between pieces is where t / width is rounded, in float32
SIGMOID_WIDTH, TANH_WIDTH = 0.6, 0.44
SIGMOID_DEGREE, TANH_DEGREE = 5, 6


@dataclass(frozen=True)
class Piece:
    """f on [low, high]; where the error may be as large as `scale`, it weighs 1."""

    f: Callable
    low: float
    high: float
    degree: int
    scale: Callable = abs
    centre: float | None = None
    lowest: tuple[float, ...] = ()  # coefficients that are not to be fitted
    looked_up: tuple[Callable, ...] = ()  # what else the table has of the centre


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


def rounded(x: mpf) -> np.float32:
    return np.float32(float(x))


def near_middle(piece: Piece) -> np.float32:
    """A float32 where f, and what `looked_up` gives, are nearly one too, so that rounding these costs nothing."""
    middle, width = (piece.low + piece.high) / 2, piece.high - piece.low
    candidates = [np.float32(middle + k * 1e-5 * width) for k in range(-600, 601)]

    def lost(candidate: np.float32) -> mpf:
        values = [f(mpf(float(candidate))) for f in (piece.f, *piece.looked_up)]
        return max(abs(mpf(float(rounded(value))) / value - 1) for value in values)

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
    for power in range(len(c), piece.degree + 1):
        c.append(np.float32(minimax(x, rest, weight, range(power, piece.degree + 1))[0]))
        rest = rest - np.longdouble(c[power]) * x**power
    return centre, c


def borders(k: int, width: float) -> tuple[float, float]:
    return max(0.0, (k - 0.5) * width - OVERLAP), (k + 0.5) * width + OVERLAP


def sigmoid_pieces() -> list[Piece]:
    def w(t):  # sigmoid(-t)
        return 1 / (1 + mp.exp(t))

    first = Piece(w, *borders(0, SIGMOID_WIDTH), SIGMOID_DEGREE, centre=0, lowest=(0.5,))
    return [first, *(Piece(w, *borders(k, SIGMOID_WIDTH), SIGMOID_DEGREE) for k in range(1, PIECES))]


def rest_of_tanh(t):
    return 2 / (1 + mp.exp(2 * t))  # 1 - tanh(t)


def tanh_pieces() -> list[Piece]:
    def error_of(rest):  # tanh is to be as accurate as 1 - tanh, which the slope hangs on
        return min(rest, 1 - rest)

    def piece(k):
        borders_of = borders(k, TANH_WIDTH)
        return Piece(rest_of_tanh, *borders_of, TANH_DEGREE, scale=error_of, looked_up=(mp.tanh,))

    near = Piece(lambda t: -mp.tanh(t), *borders(0, TANH_WIDTH), TANH_DEGREE, centre=0, lowest=(0, -1, 0))
    return [near, *(piece(k) for k in range(1, PIECES))]


def hexadecimal(x: np.float32) -> str:
    digits, exponent = float(x).hex().split("p")
    whole, _, fraction = digits.partition(".")
    fraction = fraction[:6].rstrip("0")  # a float32 has 23 binary digits
    return f"{whole}{'.' if fraction else ''}{fraction}p{exponent}f"


def sixteen(words: list[str], indent: str, at_once: int = 4) -> str:
    lines = [", ".join(words[k : k + at_once]) for k in range(0, PIECES, at_once)]
    return f"{{{f',{chr(10)}{indent} '.join(lines)}}}"


def table(name: str, numbers: list[np.float32]) -> str:
    head = f"  static constexpr Sixteen {name}"
    return f"{head}{sixteen([hexadecimal(x) for x in numbers], ' ' * len(head))};\n"


def struct(name: str, comment: str, width: float, fits: list, first: int, more: str = "") -> str:
    end, half = (np.float32((n - 0.5) * width - OVERLAP) for n in (PIECES, PIECES // 2))
    rows = ",\n".join(
        f"      {sixteen([hexadecimal(c[power]) for _, c in fits], ' ' * 6)}" for power in range(first, len(fits[0][1]))
    )
    return f"""/// {comment}
struct {name} {{
  static constexpr float inverse_width = {hexadecimal(np.float32(1 / width))};
  static constexpr float end = {hexadecimal(end)}, half = {hexadecimal(half)};
{table("centre", [centre for centre, _ in fits])}{more}  static constexpr Sixteen c[] = {{
{rows}}};
}};
"""


HEAD = """/// Sigmoid and tanh of float32 by pieces: coefficients, printed by tools/fit_logistic.py.
///
/// Piece k of t >= 0 is where t * inverse_width rounds to k, as far as `end`, those with k < 8 as far as `half`. In it
/// a function is the polynomial c[0] + c[1] r + c[2] r^2 + ..., r = t - centre, each looked up with k.
#pragma once

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

// clang-format off
"""
TANH_COMMENT = "(value - tanh(t)) / r; value is tanh(centre), rest 1 - tanh(centre)."


def main() -> None:
    sigmoid = struct("SigmoidPieces", "sigmoid(-t).", SIGMOID_WIDTH, [fit(piece) for piece in sigmoid_pieces()], 0)
    fits = [fit(piece) for piece in tanh_pieces()]
    value, rest = (
        table(name, [rounded(f(mpf(float(centre)))) for centre, _ in fits])
        for name, f in (("value", mp.tanh), ("rest", rest_of_tanh))
    )
    tanh = struct("TanhPieces", TANH_COMMENT, TANH_WIDTH, fits, 1, value + rest)
    print(f"{HEAD}{sigmoid}\n{tanh}// clang-format on\n\n}}  // namespace bpnet::engine")


if __name__ == "__main__":
    main()
