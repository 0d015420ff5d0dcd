"""Every example runs as its user would run it, on data that fits in a test."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PNG = b"\x89PNG"
HIDE = """
import os, runpy, sys
sys.modules[sys.argv[1]] = None
del sys.argv[:2]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(folder, script, *arguments, fails=False, without=None):
    """The output of one example, run in that folder; `without` is a package that shall seem not to be installed."""
    hide = ["-c", HIDE, without] if without else []
    done = subprocess.run(
        [sys.executable, *hide, EXAMPLES / script, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def number(pattern, text):
    """The number that the pattern's only group finds in the text."""
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in:\n{text}"
    return float(found.group(1))


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    data = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture(scope="module")
def idx_folder(tmp_path_factory):
    """Ten kinds of 28 x 28 images, a bright square at a place of its own each, in noise; half the files gzipped."""
    folder = tmp_path_factory.mktemp("idx")
    rng = np.random.default_rng(0)
    for name, count, ending in (("train", 600, ".gz"), ("t10k", 100, "")):
        labels = rng.integers(0, 10, count)
        images = rng.integers(0, 60, (count, 28, 28))
        for image, label in zip(images, labels, strict=True):
            row, column = 4 + 10 * (label // 5), 3 + 5 * (label % 5)
            image[row : row + 6, column : column + 4] += 150
        write_idx(folder / f"{name}-images-idx3-ubyte{ending}", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte{ending}", labels)
    return folder


def test_every_example_has_a_test_and_a_line_in_the_readme():
    scripts = {path.name for path in EXAMPLES.glob("*.py")} - {"digits.py"}
    table = (EXAMPLES / "README.md").read_text()
    own = Path(__file__).read_text()
    for script in sorted(scripts):
        assert f"examples/{script}" in table
        assert f'"{script}"' in own


def test_xor(tmp_path):
    output = run(tmp_path, "xor.py")
    assert "4 of 4 right" in output
    rows = re.findall(r"^ ([01])  ([01]) \| +([01]) +([\d.]+)$", output, flags=re.MULTILINE)
    assert [(int(a) ^ int(b)) for a, b, _, _ in rows] == [int(wanted) for _, _, wanted, _ in rows] == [0, 1, 1, 0]
    assert all(abs(float(wanted) - float(got)) < 0.1 for _, _, wanted, got in rows)


def test_curve_fit_finds_the_curve_and_its_slope(tmp_path):
    output = run(tmp_path, "curve_fit.py")
    assert number(r"error of y: +([\d.]+)", output) < 0.05
    assert number(r"error of y': +([\d.]+)", output) < 0.3  # the slope runs from -2 to 3
    if "wrote" in output:
        assert (tmp_path / "curve_fit.png").read_bytes().startswith(PNG)


def test_mnist(tmp_path, idx_folder):
    output = run(
        tmp_path, "mnist.py", idx_folder, "--epochs", 8, "--runs", 2, "--seed", 7, "--hidden", 20, "--png", "wrong.png"
    )
    assert "600 training images, 100 test images of 784 pixels" in output
    assert "784-20-10, seed 7" in output and "784-20-10, seed 8" in output
    assert len(re.findall(r"^epoch +\d+: cost [\d.]+, test [\d.]+%$", output, flags=re.MULTILINE)) == 16
    assert number(r"best of 2 runs: ([\d.]+)%", output) >= 80
    assert re.search(r"\d+ of 100 wrong", output)


def test_mnist_draws_what_it_got_wrong(tmp_path, idx_folder):
    output = run(tmp_path, "mnist.py", idx_folder, "--epochs", 1, "--hidden", 2, "--png", "wrong.png")
    assert re.search(r"\d taken for \d", output) and "▓" in output
    if "wrote" in output:
        assert (tmp_path / "wrong.png").read_bytes().startswith(PNG)


def test_mnist_reports_missing_and_broken_files(tmp_path, idx_folder):
    assert "has no train-images-idx3-ubyte" in run(tmp_path, "mnist.py", tmp_path, fails=True)
    assert "required: DIR" in run(tmp_path, "mnist.py", fails=True)
    assert "--hidden is 0" in run(tmp_path, "mnist.py", idx_folder, "--hidden", 0, fails=True)
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in idx_folder.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "t10k-labels-idx1-ubyte").write_bytes(b"not what it says")
    assert "is not an IDX file" in run(tmp_path, "mnist.py", broken, fails=True)
    (broken / "t10k-labels-idx1-ubyte").write_bytes((idx_folder / "t10k-labels-idx1-ubyte").read_bytes()[:-1])
    assert "99 bytes of data" in run(tmp_path, "mnist.py", broken, fails=True)


@pytest.mark.parametrize("source", ["IDX files", "scikit-learn", "drawn here"])
def test_gradient_wrt_input_turns_a_3_into_an_8(tmp_path, idx_folder, source):
    if source == "IDX files":
        output = run(tmp_path, "gradient_wrt_input.py", idx_folder, "--epochs", 10)
    elif source == "scikit-learn":
        pytest.importorskip("sklearn")
        output = run(tmp_path, "gradient_wrt_input.py")
    else:
        output = run(tmp_path, "gradient_wrt_input.py", without="sklearn")
    assert f"{idx_folder if source == 'IDX files' else source}" in output.splitlines()[0]
    assert "before, it says 3" in output and "after,  it says 8" in output
    length = number(r"length of the change ([\d.]+)", output)
    assert 0 < length < number(r"nearest training image of a 8: ([\d.]+)", output)
    assert number(r"same length, ([\d.]+)% make", output) < 20
    if "wrote" in output:
        assert (tmp_path / "gradient_wrt_input.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("script", ["curve_fit.py", "gradient_wrt_input.py"])
def test_without_matplotlib_the_text_is_all_there(tmp_path, script):
    output = run(tmp_path, script, without="matplotlib")
    assert "no picture: matplotlib is not installed; `pip install 'bpnet[plot]'`" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and RLIMIT_DATA holds on Linux only")
def test_larger_than_memory(tmp_path):
    """20 MiB of data under a limit of 16; np.fromfile cannot have it."""
    output = run(tmp_path, "larger_than_memory.py", "--rows", 1_048_576, "--limit", 16, "--epochs", 1)
    assert "20 MiB of data, 16 MiB of memory" in output
    assert "np.fromfile: MemoryError" in output
    for way in ("mapped", "streamed"):
        assert number(rf"{way}: +root mean square error ([\d.]+)", output) < 0.2  # the noise alone has 0.1
    assert "fits into 64 MiB" in run(tmp_path, "larger_than_memory.py", "--rows", 1000, fails=True)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("limit", "held"), [(4, True), (0.01, False)])
def test_training_on_a_map_adds_next_to_no_memory(limit, held):
    """benchmarks/memory.py on a tenth of its rows: 19 MiB of data."""
    command = [sys.executable, "-m", "benchmarks.memory", "--rows", "1000000", "--limit", str(limit), "--threads", "2"]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode == 0) == held, done.stdout + done.stderr
    assert f"{'held' if held else 'EXCEEDED'}" in done.stdout


def test_gradient_wrt_input_refuses_a_change_into_itself(tmp_path):
    message = run(tmp_path, "gradient_wrt_input.py", "--digit", 4, "--target", 4, fails=True)
    assert "--digit and --target are the same" in message
