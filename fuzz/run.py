"""Runs every fuzzer there is, one after the other: python fuzz/run.py SECONDS [NAME...]

Each gets that many seconds and a corpus folder of its own under fuzz/corpus/, which it goes on with the next time. Says
for each how many inputs there were; the first one that breaks something ends the run with its input in that folder.

A fuzzer is fuzz_NAME.py (atheris) or fuzz_NAME.cpp (libFuzzer: built by CMake with Clang, AddressSanitizer and
UndefinedBehaviorSanitizer, against the headers of this tree; BPNET_FUZZ_ISA names the instruction set, v3 if unset).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What libFuzzer's own schedule costs is far more than an execution of a kernel.
CPP_OPTIONS = ["-entropic=0", "-reduce_inputs=0", "-max_len=512", "-print_funcs=0", "-rss_limit_mb=4096"]


def command(source, folder):
    """What starts this fuzzer; C++ is compiled into `folder` first."""
    if source.suffix == ".py":
        return [sys.executable, source]
    compiler, level = os.environ.get("CXX", "clang++"), os.environ.get("BPNET_FUZZ_ISA", "v3")
    prefixes = [f"{path}/cmeel.prefix" for path in sys.path if Path(path, "cmeel.prefix").is_dir()]
    prefixes += filter(None, [os.environ.get("CMAKE_PREFIX_PATH")])
    configure = ["cmake", "-S", HERE, "-B", folder, f"-DCMAKE_CXX_COMPILER={compiler}", f"-DBPNET_FUZZ_ISA={level}"]
    build = ["cmake", "--build", folder, "--target", source.stem]
    for words in (configure, build):
        environment = {**os.environ, "CMAKE_PREFIX_PATH": os.pathsep.join(prefixes)}
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
    return [Path(folder, source.stem), *CPP_OPTIONS]


def run(source, seconds, folder):
    """The number of inputs; None where one of them broke something."""
    corpus = HERE / "corpus" / source.stem
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", "-print_final_stats=1", f"-artifact_prefix={corpus.parent}/{source.stem}-"]
    with subprocess.Popen(
        [*command(source, folder), corpus, *options], stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        lines = []
        for line in process.stderr:
            lines = [*lines[-500:], line]
            if re.match(r"#\d+\s+(INITED|pulse)", line):
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
        missing = [tool for tool in ("cmake", os.environ.get("CXX", "clang++")) if not shutil.which(tool)]
        if source.suffix == ".cpp" and missing:
            print(f"{source.name}: there is no {missing[0]}")
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
