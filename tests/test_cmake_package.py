"""The installed package serves C++ users: CMake finds it outside the source tree, and its headers are clean."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import bpnet
import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "cpp" / "minimal"
PATH = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
KERNELS = Path(__file__).parents[1] / "benchmarks" / "cpp" / "kernels.cpp"
COMPILER = os.environ.get("CXX") or next(filter(shutil.which, ["c++", "g++", "clang++"]), None)
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
X86_LEVELS = ["x86-64", "x86-64-v3", "x86-64-v4"] if platform.machine() == "x86_64" else []

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")


def run(*command, cwd, **environment):
    """What the command printed; a failure shows it."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "PATH": PATH, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{command} returned {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


def tool(name):
    found = shutil.which(name, path=PATH)
    assert found, f"{name} is missing; it comes with the extra 'test'"
    return found


def configure(source, build, *options):
    return run(tool("cmake"), "-S", source, "-B", build, "-G", "Ninja", *options, cwd=source)


@pytest.fixture(scope="module")
def cmake_dir(tmp_path_factory):
    printed = run(sys.executable, "-m", "bpnet", "--cmakedir", cwd=tmp_path_factory.mktemp("elsewhere"))
    return Path(printed.strip())


def test_cmakedir_is_what_get_cmake_dir_says(cmake_dir):
    assert str(cmake_dir) == bpnet.get_cmake_dir()
    assert (cmake_dir / "bpnetConfig.cmake").is_file()


def test_package_holds_bpnet_headers_and_nothing_of_eigen():
    package = Path(bpnet.get_cmake_dir()).parents[2]
    assert [folder.name for folder in (package / "include").iterdir()] == ["bpnet"]
    assert [folder.name for folder in (package / "lib" / "cmake").iterdir()] == ["bpnet"]
    assert (package / "include" / "bpnet" / "bpnet.hpp").is_file()


@pytest.mark.slow
@needs_compiler
def test_example_builds_and_runs_from_the_installed_package(cmake_dir, tmp_path):
    source = shutil.copytree(EXAMPLE, tmp_path / "minimal")
    configure(source, tmp_path / "build", f"-Dbpnet_DIR={cmake_dir}", f"-DCMAKE_CXX_FLAGS={' '.join(WARNINGS)}")
    run(tool("cmake"), "--build", tmp_path / "build", cwd=tmp_path)
    assert run(tmp_path / "build" / "minimal", cwd=tmp_path)


@needs_compiler
def test_cmake_finds_the_package_by_prefix_and_version(cmake_dir, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.24)\n"
        "project(finds LANGUAGES CXX)\n"
        f"find_package(bpnet {bpnet.__version__} CONFIG REQUIRED)\n"
        "if(NOT TARGET bpnet::bpnet OR NOT COMMAND bpnet_target_isa)\n"
        '  message(FATAL_ERROR "incomplete")\n'
        "endif()\n"
    )
    configure(tmp_path, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={cmake_dir.parents[2]}")


@needs_compiler
@pytest.mark.parametrize("wrong", ["v9", "avx2"])
def test_unknown_level_is_refused_by_name(cmake_dir, tmp_path, wrong):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.24)\n"
        "project(level LANGUAGES CXX)\n"
        "find_package(bpnet CONFIG REQUIRED)\n"
        "add_library(user INTERFACE)\n"
        f"bpnet_target_isa(user {wrong})\n"
    )
    with pytest.raises(AssertionError, match=f"level '{wrong}' does not"):
        configure(tmp_path, tmp_path / "build", f"-Dbpnet_DIR={cmake_dir}")


@needs_compiler
@pytest.mark.parametrize("level", X86_LEVELS or ["baseline"])
def test_headers_compile_without_a_warning(cmake_dir, tmp_path, level):
    source = tmp_path / "all.cpp"
    source.write_text(
        "#include <bpnet/bpnet.hpp>\n"
        "template class bpnet::Network<float>;\n"
        "template class bpnet::Network<double>;\n"
        "template class bpnet::Trainer<float>;\n"
        "template class bpnet::Trainer<double>;\n"
        "int main() {}\n"
    )
    look_through(source, cmake_dir, level)


@needs_compiler
def test_benchmark_of_kernels_compiles_without_a_warning(cmake_dir):
    look_through(KERNELS, cmake_dir)


def look_through(source, cmake_dir, level="x86-64-v3"):
    """Whether the compiler accepts a program without a word."""
    run(
        *(COMPILER.split()),
        "-std=c++20",
        "-fsyntax-only",
        *WARNINGS,
        *([f"-march={level}"] if X86_LEVELS else []),
        f"-I{cmake_dir.parents[2] / 'include'}",
        *(f"-isystem{folder}" for folder in eigen_folders()),
        source,
        cwd=cmake_dir,
    )


def eigen_folders():
    installed = [Path(folder) / "cmeel.prefix" / "include" / "eigen3" for folder in sys.path]
    return [folder for folder in [*installed, Path("/usr/include/eigen3")] if folder.is_dir()]


@pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("nm"), reason="needs nm")
def test_an_engine_shows_its_table_and_nothing_else(cmake_dir):
    engines = sorted(cmake_dir.parents[2].glob("libbpnet_engine_*.so"))
    assert engines
    for engine in engines:
        symbols = run("nm", "-D", "--defined-only", engine, cwd=cmake_dir).split()
        assert symbols[2::3] == ["bpnet_engine_tables"], engine.name
