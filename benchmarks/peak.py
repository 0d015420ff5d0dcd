"""The machine's peak: what every time is a share of, measured in the same run."""

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from .timing import repeats_for, seconds_for


def peak(dtype: str) -> tuple[float, str]:
    """GFLOP/s of one core at fused multiply-adds, as measured now, and how."""
    import numpy as np

    if loop := _fma_loop(dtype):
        rounds, factor = 1_000_000, 0.999
        flops = loop(rounds, factor)
        seconds = min(seconds_for(lambda n: loop(n, factor), rounds) for _ in range(5))
        return flops / seconds / 1e9, "a loop of fused multiply-adds"
    a = np.ones((1024, 1024), dtype)
    run = lambda n: [np.dot(a, a) for _ in range(n)]  # noqa: E731
    repeats = repeats_for(run, 0.2)
    best = min(seconds_for(run, repeats) / repeats for _ in range(3))
    return 2 * 1024**3 / best / 1e9, "NumPy's product of 1024 x 1024 matrices"


@cache
def _fma_loop(dtype: str) -> Callable[[int, float], float] | None:
    """peak.c, compiled for this machine or for the level in use; None where there is no compiler."""
    import bpnet

    compiler = next(filter(shutil.which, [os.environ.get("CC", ""), "cc", "gcc", "clang"]), None)
    if compiler is None:
        return None
    flags = ["-march=x86-64-v3" if bpnet.get_config()["isa"] == "v3" else "-march=native"]
    if platform.machine() == "x86_64":
        flags.append("-mprefer-vector-width=512")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peak.so"
        source = Path(__file__).with_name("peak.c")
        done = subprocess.run([compiler, "-O3", *flags, "-shared", "-fPIC", source, "-o", library], capture_output=True)
        if done.returncode != 0:
            return None
        loop = getattr(ctypes.CDLL(str(library)), f"peak_{dtype}")
    loop.restype = ctypes.c_double  # floating-point operations done
    loop.argtypes = [ctypes.c_long, ctypes.c_double]
    return loop
