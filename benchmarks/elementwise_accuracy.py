"""`python -m benchmarks.elementwise_accuracy`: how far every elementwise function and slope is from the exact one.

The table: a dense sample of arguments against mpmath at 90 digits, in both precisions. `--exhaustive sigmoid tanh`: all
2^32 float32 arguments against float64, and where that came out worst, and on a sample, float64 itself against mpmath.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
from bpnet import _core

from . import machine

OTHERS = ("exp", "expm1", "log", "log1p")  # what the costs are made of


def load_oracle() -> ModuleType:
    """tests/oracle.py: the textbook's formulas in mpmath, and the distance in units in the last place."""
    spec = importlib.util.spec_from_file_location("oracle", Path(__file__).parents[1] / "tests" / "oracle.py")
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    return oracle


def sample(dtype: str, count: int) -> np.ndarray:
    """Arguments of both signs: around 0, where functions bend, to where they end, and every binade from 1e-30 up."""
    rng = np.random.default_rng(2)
    reach = 110.0 if dtype == "float32" else 800.0
    quarter = count // 4
    spread = np.exp(rng.uniform(np.log(1e-30), np.log(reach), quarter)) * rng.choice([-1, 1], quarter)
    parts = [rng.uniform(-1, 1, quarter), rng.uniform(-12, 12, quarter), rng.uniform(-reach, reach, quarter), spread]
    return np.concatenate(parts).astype(dtype)


def normal(w: list, z: np.ndarray) -> np.ndarray:
    """Where a slope is no smaller than z times a subnormal factor."""
    tiny = float(np.finfo(z.dtype).tiny)
    return np.array([abs(v) >= tiny * max(1.0, abs(float(x))) or v == 0 for v, x in zip(w, z, strict=True)])


def size_of_terms(oracle: ModuleType, name: str) -> Callable | None:
    """gelu, silu and mish have slopes f/z + z g that cross 0: the size that their rounding is to be judged by."""
    gate = {"gelu": oracle.normal_cdf, "silu": oracle.sigmoid, "mish": lambda z: oracle.ACTIVATIONS["mish"][0](z) / z}
    if name not in gate:
        return None
    slope = oracle.ACTIVATIONS[name][1]
    return lambda z: max(abs(gate[name](z)), abs(slope(z) - gate[name](z)), abs(slope(z)))


def worst(oracle: ModuleType, name: str, slope: bool, z: np.ndarray) -> tuple[float, float]:
    """The greatest error in ulp, and where."""
    exact = [getattr(oracle.mp, name), None][slope] if name in OTHERS else oracle.ACTIVATIONS[name][slope]
    arguments = oracle.exact(z)
    want = [exact(v) for v in arguments]
    got = _core.elementwise(name, z, slope)
    errors = oracle.ulps(got, want)
    if slope and (size := size_of_terms(oracle, name)):
        info = np.finfo(z.dtype)

        def place(w):
            return oracle.mp.ldexp(1, max(int(oracle.mp.frexp(w)[1]) - 1, info.minexp)) if w else info.tiny

        errors = [e * float(place(w) / place(size(v))) for e, w, v in zip(errors, want, arguments, strict=True)]
    if slope:
        errors = np.where(normal(want, z), errors, 0)
    at = int(np.argmax(errors))
    return float(errors[at]), float(z[at])


def arguments_for(name: str, z: np.ndarray) -> np.ndarray:
    if name == "log":
        return np.abs(z)
    return z[z > -1] if name == "log1p" else z


def table(points: int) -> None:
    oracle = load_oracle()
    print(f"worst error in ulp on {points} arguments, and the argument, against mpmath at {oracle.mp.dps} digits\n")
    print("| function     | float32 f         | float32 f'        | float64 f         | float64 f'        |")
    print("|--------------|-------------------|-------------------|-------------------|-------------------|")
    for name in (*oracle.ACTIVATIONS, *OTHERS):
        cells = []
        for dtype in ("float32", "float64"):
            z = arguments_for(name, sample(dtype, points))
            for slope in (False, True):
                if slope and name in OTHERS:
                    cells.append("")
                    continue
                error, at = worst(oracle, name, slope, z)
                cells.append(f"{error:.2f} at {at:.3g}")
        print(f"| {name:<12} | " + " | ".join(f"{cell:<17}" for cell in cells) + " |", flush=True)
    print(
        "\nThe slopes of gelu, silu and mish change sign: theirs are in ulp of the larger of their two terms. Slopes so"
    )
    print("small that a factor of theirs is subnormal are left out: it has lost its digits, and z times it too.")


# ---- every float32 ---------------------------------------------------------------------------------------------------


def reference(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f and f' in float64, from e = e^-|z| (e^(-2|z|) for tanh): no difference of nearly equal numbers."""
    if name == "sigmoid":
        e = np.exp(-np.abs(z))
        return np.where(z < 0, e, 1.0) / (1 + e), e / ((1 + e) * (1 + e))
    e = np.exp(-2 * np.abs(z))
    return np.tanh(z), 4 * e / ((1 + e) * (1 + e))


def ulps32(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    """|got - want| in units of the last place that float32 has at `want`."""
    place = np.ldexp(1.0, np.maximum(np.frexp(want)[1] - 1, -126) - 23)
    return np.abs(got - want) / place


def exhaustive(name: str, step: int) -> None:
    """Every `step`-th float32, in its bit order; NaNs give NaN."""
    block = 1 << 20
    found = {"f": (-1.0, 0.0), "f'": (-1.0, 0.0)}
    start = time.perf_counter()
    for first in range(0, 1 << 32, block * step):
        bits = np.arange(first, min(first + block * step, 1 << 32), step, np.uint32)
        z = bits.view(np.float32)
        real = ~np.isnan(z)
        for (which, seen), want in zip(found.items(), reference(name, z[real].astype("float64")), strict=True):
            got = _core.elementwise(name, z, which == "f'")
            if not np.isnan(got[~real]).all():
                sys.exit(f"{name}: {which}(NaN) is a number")
            errors = ulps32(got[real].astype("float64"), want)
            at = int(np.argmax(errors)) if len(errors) else 0
            if len(errors) and not errors[at] <= seen[0]:
                found[which] = float(errors[at]), float(z[real][at])
        done = (first + block * step) / (1 << 32)
        if first // (block * step) % 64 == 0:
            print(f"\r{name}: {done:.0%}", end="", file=sys.stderr, flush=True)
    minutes = (time.perf_counter() - start) / 60
    print(f"\r{name}, {(1 << 32) // step} float32 arguments, {minutes:.1f} minutes")
    for which, (error, at) in found.items():
        print(f"  {which:<2}  worst {error:.4f} ulp, at z = {at!r} ({at.hex()})")
    trust(name, [at for _, at in found.values()])


def trust(name: str, places: list[float]) -> None:
    """The reference itself against mpmath, in float32's ulp: at the worst places and on a sample."""
    oracle = load_oracle()
    z = np.concatenate([places, sample("float32", 4000)]).astype("float32").astype("float64")
    off = 0.0
    with np.errstate(under="ignore"):
        for slope, values in enumerate(reference(name, z)):
            want = [oracle.ACTIVATIONS[name][slope](v) for v in oracle.exact(z)]
            place = [oracle.mp.ldexp(1, max(int(oracle.mp.frexp(w)[1]) - 1, -126) - 23) for w in want]
            errors = [abs(oracle.mp.mpf(float(v)) - w) / p for v, w, p in zip(values, want, place, strict=True)]
            off = max(off, float(max(errors)))
    print(f"  the float64 reference is within {off:.1e} of a float32 ulp of mpmath, on {len(z)} arguments")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elementwise_accuracy", description=__doc__)
    parser.add_argument("--points", type=int, default=4000, help="arguments of each function in the table")
    parser.add_argument("--exhaustive", nargs="+", choices=("sigmoid", "tanh"), help="these at every float32 instead")
    parser.add_argument("--step", type=int, default=1, help="with --exhaustive: only every so many")
    options = parser.parse_args()
    for line in machine.describe("float32 and float64").items():
        if line[0] in ("processor", "date", "bpnet", "numpy"):
            print(": ".join(line), end="  \n")
    print()
    if options.exhaustive:
        for name in options.exhaustive:
            exhaustive(name, options.step)
    else:
        table(options.points)


if __name__ == "__main__":
    main()
