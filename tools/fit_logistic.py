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
TANH_BASES = (0, 0.375, 0.75, *(1,) * 13)


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


def tanh_pieces() -> list[Piece]:
    def piece(k):
        base = mpf(TANH_BASES[k])

        def error_of(p):  # tanh = base - p, and its slope, are to be accurate; 1 - tanh is what the slope hangs on
            return min(abs(base - p), 2 * abs(1 - base + p))

        f = lambda t: base - mp.tanh(t)  # noqa: E731
        return Piece(f, *borders(k, TANH_WIDTH), TANH_DEGREE, **({} if base == 1 else {"scale": error_of}))

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


def table(name: str, words: list[str]) -> str:
    head = f"  static constexpr Sixteen {name}"
    return f"{head}{sixteen(words, ' ' * len(head), 16 if name in ('base', 'rest') else 4)};\n"


def struct(name: str, comment: str, width: float, pieces: list[Piece], more: str = "") -> str:
    fits = [fit(piece) for piece in pieces]
    end, half = (np.float32((n - 0.5) * width - OVERLAP) for n in (PIECES, PIECES // 2))
    rows = ",\n".join(
        f"      {sixteen([hexadecimal(c[power]) for _, c in fits], ' ' * 6)}" for power in range(pieces[0].degree + 1)
    )
    return f"""/// {comment}
struct {name} {{
  static constexpr float inverse_width = {hexadecimal(np.float32(1 / width))};
  static constexpr float end = {hexadecimal(end)}, half = {hexadecimal(half)};
{table("centre", [hexadecimal(centre) for centre, _ in fits])}  static constexpr Sixteen c[] = {{
{rows}}};
{more}}};
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


def main() -> None:
    sigmoid = struct("SigmoidPieces", "sigmoid(-t).", SIGMOID_WIDTH, sigmoid_pieces())
    bases = table("base", [f"{base:g}f" if base % 1 else f"{base}" for base in TANH_BASES])
    rests = table("rest", [f"{1 - base**2:g}f" if base % 1 else f"{1 - base}" for base in TANH_BASES])
    tanh = struct("TanhPieces", "base - tanh(t); rest = 1 - base^2.", TANH_WIDTH, tanh_pieces(), bases + rests)
    print(f"{HEAD}{sigmoid}\n{tanh}// clang-format on\n\n}}  // namespace bpnet::engine")


if __name__ == "__main__":
    main()
