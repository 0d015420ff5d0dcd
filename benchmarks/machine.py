"""What it is measured on: names, the switches that hold everybody to one thread and one level, the peak."""

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .timing import repeats_for, seconds_for

ONE_THREAD = {
    "BPNET_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NPROC": "1",  # XLA's pool
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}
# How each is told to leave AVX-512 alone. ONNX Runtime has no such switch.
AVX2 = {
    "BPNET_ISA": "v3",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "XLA_FLAGS": ONE_THREAD["XLA_FLAGS"] + " --xla_cpu_max_isa=AVX2",
}
PACKAGES = ("numpy", "scikit-learn", "torch", "jax", "onnxruntime")


def settle(avx2: bool, double: bool) -> None:
    """Sets the switches; before anything numerical is imported."""
    os.environ.update(ONE_THREAD)
    if avx2:
        os.environ.update(AVX2)
    if double:
        os.environ["JAX_ENABLE_X64"] = "1"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "CPU part"))]
    return names[0] if names else platform.machine()


def describe(dtype: str) -> dict[str, str]:
    """Of this run, for the head of its report."""
    import bpnet

    config = bpnet.get_config()
    found = {"processor": processor(), "date": date.today().isoformat(), "dtype": dtype, "threads": "1"}
    found |= {
        "bpnet": f"{config['version']} ({config['isa']}, {config['compiler']})",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


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
