"""What it is measured on: processor, cores, versions."""

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "scikit-learn", "torch", "jax", "onnxruntime")


def cores() -> int:
    """Those that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


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
    found = {
        "processor": processor(),
        "cores": str(cores()),
        "date": date.today().isoformat(),
        "dtype": dtype,
        "bpnet": f"{config['version']} ({config['isa']}, {config['compiler']})",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
