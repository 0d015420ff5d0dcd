"""Runs every fuzzer there is, one after the other: python fuzz/run.py SECONDS [NAME...]

Each gets that many seconds and a corpus folder of its own under fuzz/corpus/, which it goes on with the next time. Says
for each how many inputs there were; the first one that breaks something ends the run with its input in that folder.

A fuzzer is fuzz_NAME.py (atheris) or fuzz_NAME.cpp (libFuzzer). CMake and Clang build what they run, the extension of
this tree or a program against its headers, with AddressSanitizer and UndefinedBehaviorSanitizer; BPNET_FUZZ_ISA names
the instruction set, v3 if unset. With BPNET_FUZZ_INSTALLED=1 fuzz_NAME.py meets the bpnet that is installed instead.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPILER, LEVEL = os.environ.get("CXX", "clang++"), os.environ.get("BPNET_FUZZ_ISA", "v3")
INSTALLED = os.environ.get("BPNET_FUZZ_INSTALLED") == "1"
# What libFuzzer's own schedule costs is far more than an execution of a kernel.
CPP_OPTIONS = ["-entropic=0", "-reduce_inputs=0", "-max_len=512", "-print_funcs=0", "-rss_limit_mb=4096"]
PYTHON_BUILD = ["-DBPNET_BUILD_PYTHON=ON", "-DBPNET_SANITIZE=address,undefined,fuzzer-no-link"]
PYTHON_BUILD += ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -g", f"-DPython_EXECUTABLE={sys.executable}"]


def preloads():
    """What atheris has to be loaded before Python: sanitizers with libFuzzer, and mutators, which it finds only so."""
    atheris = importlib.util.find_spec("atheris")
    folder = Path(atheris.origin).parent if atheris else Path("atheris")
    return [folder.parent / "asan_with_fuzzer.so", *folder.glob("custom_mutator*.so")]


def missing(source):
    """What this fuzzer needs and what is not there."""
    if source.suffix == ".py" and INSTALLED:
        return []
    lacks = [tool for tool in ("cmake", COMPILER) if not shutil.which(tool)]
    if source.suffix == ".py" and not preloads()[0].is_file():
        lacks.append("asan_with_fuzzer.so, which comes with atheris")
    return lacks


def build(source, folder, targets, options):
    """Configures the project `source` in `folder` and builds some of it."""
    prefixes = [f"{path}/{name}" for path in sys.path for name in ("cmeel.prefix", "pybind11")]
    prefixes = [*filter(os.path.isdir, prefixes), *filter(None, [os.environ.get("CMAKE_PREFIX_PATH")])]
    configure = ["cmake", "-S", source, "-B", folder, f"-DCMAKE_CXX_COMPILER={COMPILER}", *options]
    for words in (configure, ["cmake", "--build", folder, "--target", *targets]):
        environment = {**os.environ, "CMAKE_PREFIX_PATH": os.pathsep.join(prefixes)}
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)


def command(source, folder):
    """What starts this fuzzer, and in which environment, after everything is built in `folder`."""
    if source.suffix == ".cpp":
        build(HERE, folder, [source.stem], [f"-DBPNET_FUZZ_ISA={LEVEL}"])
        return [Path(folder, source.stem), *CPP_OPTIONS], os.environ
    if INSTALLED:
        return [sys.executable, source], os.environ
    package, build_folder = Path(folder, "bpnet"), Path(folder, "build")
    build(HERE.parent, build_folder, ["_core", f"bpnet_engine_{LEVEL}"], PYTHON_BUILD)
    shutil.copytree(HERE.parent / "python" / "bpnet", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for library in build_folder.glob("cpp/*.so"):
        shutil.copy(library, package)
    environment = {
        "PYTHONPATH": os.pathsep.join([folder, *sys.path[1:]]),
        "PYTHONMALLOC": "malloc",  # each object is a block of its own, with poison around it
        "LD_PRELOAD": os.pathsep.join(map(str, preloads())),
        "BPNET_ISA": LEVEL,
        # Where a block came from takes half of the time; whoever looks at a finding asks for it.
        "ASAN_OPTIONS": f"detect_leaks=0:malloc_context_size=1:{os.environ.get('ASAN_OPTIONS', '')}",
    }
    return [sys.executable, "-S", source], {**os.environ, **environment}  # -S: an editable install would come first


def run(source, seconds, folder):
    """The number of inputs; None where one of them broke something."""
    corpus = HERE / "corpus" / source.stem
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-print_final_stats=1", f"-artifact_prefix={corpus.parent}/{source.stem}-"]
    words, environment = command(source, folder)
    with subprocess.Popen(
        [*words, corpus, *options], stderr=subprocess.PIPE, text=True, errors="replace", env=environment
    ) as process:
        lines = []
        for line in process.stderr:
            lines = [*lines[-500:], line]
            if re.match(r"#\d+\s+(INITED|pulse)|INFO: (found|Loaded)", line):
                print(f"  {line.strip()}", flush=True)
    count = re.search(r"stat::number_of_executed_units:\s+(\d+)", "".join(lines))
    if process.returncode or not count:
        print("".join(lines))
        return None
    return int(count[1])


def main(seconds, names):
    sources = sorted([*HERE.glob("fuzz_*.py"), *HERE.glob("fuzz_*.cpp")])
    for source in sources:
        if names and source.stem.removeprefix("fuzz_") not in names:
            continue
        if lacks := missing(source):
            print(f"{source.name}: there is no {lacks[0]}")
            return 1
        print(f"{source.name}, {seconds} s", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            count = run(source, seconds, folder)
        if count is None:
            print(f"{source.name}: FAILED")
            return 1
        print(f"{source.name}: {count:,} inputs, none of which broke anything", flush=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
