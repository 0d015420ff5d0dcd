"""The same work without Python: benchmarks/cpp compiled, and the programs that come of it."""

import atexit
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from os import environ, pathsep
from pathlib import Path

SOURCE = Path(__file__).with_name("cpp")


class NoProgramsError(Exception):
    """They could not be compiled."""


def build(folder: Path | None) -> Path:
    """Compiles the programs at the level of bpnet's engine in this process; gives the folder they are in.

    Where none is named it is a temporary one, which ends with this process. NoProgramsError says what is missing.
    """
    import bpnet

    path = pathsep.join([sysconfig.get_path("scripts"), environ.get("PATH", "")])
    cmake = shutil.which("cmake", path=path)
    if cmake is None:
        raise NoProgramsError("cmake is not installed")
    try:
        package = bpnet.get_cmake_dir()
    except FileNotFoundError as error:
        raise NoProgramsError(str(error)) from None
    folder = folder or _temporary()
    # Eigen may be a package of this Python, which CMake would not look into
    prefixes = [f"{place}/cmeel.prefix" for place in sys.path if Path(place, "cmeel.prefix").is_dir()]
    prefixes += filter(None, [environ.get("CMAKE_PREFIX_PATH")])
    for command in (
        [cmake, "-S", SOURCE, "-B", folder, f"-Dbpnet_DIR={package}", f"-DBPNET_STEPS_ISA={bpnet.get_config()['isa']}"],
        [cmake, "--build", folder, "--parallel"],
    ):
        done = subprocess.run(
            command,
            env={**environ, "PATH": path, "CMAKE_PREFIX_PATH": pathsep.join(prefixes)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise NoProgramsError(f"{SOURCE.name} does not compile\n{done.stdout[-3000:]}")
    return folder


def _temporary() -> Path:
    keeper = tempfile.TemporaryDirectory(prefix="bpnet-cpp-")
    atexit.register(keeper.cleanup)
    return Path(keeper.name)


def layers(folder: Path) -> list[str]:
    """What one dense n x n layer takes for one sample: lines that `steps` prints, below an empty one."""
    done = subprocess.run([folder / "steps", "layers"], stdout=subprocess.PIPE, text=True, check=True)
    return ["", *done.stdout.strip().splitlines()]


def as_plain(lines: list[str]) -> list[dict[str, float]]:
    """The rows of `layers`, for JSON."""
    rows = [[word.strip() for word in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    names = ("n", "minimum_ns", "median_ns", "tanh_minimum_ns", "tanh_median_ns")
    return [dict(zip(names, map(float, row), strict=True)) for row in rows[2:]]
