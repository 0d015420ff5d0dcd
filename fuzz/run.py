"""Runs every fuzzer there is, one after the other: python fuzz/run.py SECONDS [NAME...]

Each gets that many seconds and a corpus folder of its own under fuzz/corpus/, which it goes on with the next time. Says
for each how many inputs there were; the first one that breaks something ends the run with its input in that folder.

A fuzzer is fuzz_NAME.py (atheris) or fuzz_NAME.cpp (libFuzzer: compiled by clang++ with AddressSanitizer and
UndefinedBehaviorSanitizer, against the headers of this tree).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = ["-std=c++20", "-O1", "-g", "-ffp-contract=off", "-fno-omit-frame-pointer"]
SANITIZERS = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]


def command(source, folder):
    """What starts this fuzzer; C++ is compiled into `folder` first."""
    if source.suffix == ".py":
        return [sys.executable, source]
    program = Path(folder, source.stem)
    includes = [f"-I{HERE.parent / 'cpp' / 'include'}", *(f"-isystem{path}" for path in eigen())]
    subprocess.run(["clang++", *FLAGS, *SANITIZERS, *includes, source, "-o", program], check=True)
    return [program]


def eigen():
    """Where Eigen's headers lie: EIGEN_INCLUDE, the cmeel-eigen package, or /usr/include/eigen3."""
    found = [Path(path, "cmeel.prefix/include/eigen3") for path in sys.path]
    named = os.environ.get("EIGEN_INCLUDE")
    return [named] if named else [path for path in (*found, Path("/usr/include/eigen3")) if path.is_dir()][:1]


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
        if source.suffix == ".cpp" and not shutil.which("clang++"):
            print(f"{source.name}: there is no clang++")
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
