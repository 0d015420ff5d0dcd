"""`python -m benchmarks` compares, measures, prints and writes: here on networks so small that it takes seconds."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpnet
import pytest

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"
HIDE = "import runpy, sys; sys.modules[sys.argv.pop(1)] = None; runpy.run_module('benchmarks', run_name='__main__')"

pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks" / "__main__.py").is_file(),
    reason="benchmarks/ does not stand beside the tests; no wheel has it",
)


def run(*options, without=None, fails=False, seconds=300):
    """What `python -m benchmarks --quick` prints; `without` is a package that shall seem not to be installed."""
    start = ["-c", HIDE, without] if without else ["-m", "benchmarks"]
    done = subprocess.run(
        [sys.executable, *start, "--quick", *map(str, options)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def table(text, title):
    """The Markdown table below the line that begins so: a dict a row, keyed by the heads of its columns."""
    after = text[text.index(f"\n{title}") + 1 :].split("\n\n")[1]
    head, _, *lines = ([cell.strip() for cell in line.strip("|").split("|")] for line in after.splitlines())
    return [dict(zip(head, line, strict=True)) for line in lines]


def minimum_and_median(cell):
    return tuple(map(float, re.fullmatch(r"([\d.]+) \(([\d.]+)\)", cell).groups()))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One net through all tables but growth: what was printed, what was written."""
    folder = tmp_path_factory.mktemp("small")
    printed = run(
        *("--table", "training", "prediction", "threads", "--rows", "2-16-1"),
        *("--rivals", "numpy_", "--threads", 2, "--output", folder),
    )
    return printed, folder


def test_training_and_prediction_stand_beside_the_rival(small):
    printed, folder = small
    written = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))
    for name, title in (("training", "Microseconds a training step"), ("prediction", "Microseconds a prediction")):
        (shown,), (row,) = table(printed, title), written[name]
        assert row["sizes"] == [2, 16, 1]
        seconds = row["seconds"]
        assert list(seconds) == ["bpnet", "NumPy"]
        for rival, timing in seconds.items():
            assert timing["minimum"] == min(timing["rounds"]) > 0
            # three digits are shown
            assert minimum_and_median(shown[rival])[0] == pytest.approx(timing["minimum"] * 1e6, rel=6e-3)
        lead = seconds["NumPy"]["minimum"] / seconds["bpnet"]["minimum"]
        assert minimum_and_median(shown["times the best rival"])[0] == pytest.approx(lead, abs=6e-3)
        share = row["flops"] / seconds["bpnet"]["minimum"] / 1e9 / row["peak_gflops"]
        assert float(shown["of peak"].rstrip("%")) == pytest.approx(100 * share, abs=0.06)


def test_flops_are_those_of_the_products(small):
    _, folder = small
    written = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))
    # W^1 has 32 numbers, W^2 16: three products a weight, but none for the gradient of x
    assert written["training"][0]["flops"] == 2 * 32 * (3 * 48 - 32)
    assert written["prediction"][0]["flops"] == 2 * 48


def test_threads_stand_beside_one(small):
    printed, _ = small
    (row,) = table(printed, "bpnet: microseconds a step or a prediction on several threads")
    one, two = (minimum_and_median(row[name]) for name in ("1 thread", "2 threads"))
    for alone, together, times in zip(one, two, minimum_and_median(row["times one"]), strict=True):
        assert times == pytest.approx(alone / together, abs=6e-3 + 1.2e-2 * times)  # of figures with three digits


def test_files_hold_what_was_printed(small):
    printed, folder = small
    markdown = (folder / "benchmarks.md").read_text(encoding="utf-8")
    assert printed.startswith(markdown)
    machine = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))["machine"]
    for key in ("processor", "cores", "date", "bpnet", "numpy", "peak"):
        assert f"{key}: {machine[key]}" in markdown
    assert {path.name for path in folder.iterdir()} - {"training.png", "prediction.png"} == {
        "benchmarks.md",
        "benchmarks.json",
    }


def test_pictures_of_tables(small):
    pytest.importorskip("matplotlib")
    _, folder = small
    assert all((folder / f"{name}.png").read_bytes().startswith(PNG) for name in ("training", "prediction"))


def test_precision_is_the_quotient_of_both_times():
    (row,) = table(
        run("--table", "precision", "--rows", "64-64-64-10, 64"), "bpnet: microseconds a training step in both"
    )
    single, double = (minimum_and_median(row[name])[0] for name in ("float32", "float64"))
    rate, _ = minimum_and_median(row["float64's rate, of float32's"])
    assert rate == pytest.approx(single / double, abs=2e-2)


def test_rare_inputs_are_zero_but_in_one_minibatch(parts):
    case = replace(parts("cases").RARE[0], minibatches=50)
    x = parts("cases").Problem(case, "float32").x
    assert (x.reshape(50, case.batch, -1).any(axis=1).sum(axis=0) == 1).all()
    (row,) = table(run("--table", "rare", "--rows", "rare", "--rivals", "numpy_"), "Microseconds a training step where")
    assert row["net, batch"] == "784-30-10, 10, rare inputs"
    assert {"bpnet", "NumPy", "times the best rival"} <= set(row)


def test_growth_in_every_direction(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run("--table", "growth", "--up-to", 8, "--rivals", "numpy_", "--threads", 2, "--output", tmp_path)
    written = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    points = {name: [row["row"] for row in rows] for name, rows in written.items() if name.startswith("growth")}
    assert points == {
        "growth_batch": ["1", "4"],
        "growth_width": ["8"],
        "growth_depth": ["1", "4"],
        "growth_threads": ["1", "2"],
        "growth_samples": ["1", "4"],
        "growth_wide_samples": ["1", "4"],
    }
    assert [row["batch"] for row in table(printed, "Microseconds a training step of 10-50-50-1 by batch")] == ["1", "4"]
    on_threads = written["growth_threads"]
    assert [row["threads"] for row in on_threads] == [1, 2]
    assert [list(row["seconds"]) for row in on_threads] == [["bpnet", "NumPy"], ["bpnet"]]
    assert on_threads[1]["peak_gflops"] > on_threads[0]["peak_gflops"]
    assert (tmp_path / "growth.png").read_bytes().startswith(PNG)


def test_missing_rival_is_named_and_skipped():
    options = ("--table", "prediction", "--rows", "2-16-1", "--rivals", "numpy_", "onnx_")
    printed = run(*options, without="onnxruntime")
    assert "onnx is left out: onnxruntime is not installed" in printed
    assert list(table(printed, "Microseconds a prediction")[0])[1:3] == ["bpnet", "NumPy"]


def test_unknown_rival_is_an_error():
    assert "there is no theano; there are bpnet_, numpy_," in run("--rivals", "theano", fails=True)


@pytest.fixture
def parts(monkeypatch):
    """Modules of benchmarks/, as they are."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("kind", ["training", "prediction"])
def test_rival_that_computes_something_else_is_found_out(parts, kind):
    cases, compare, rival = parts("cases"), parts("compare"), parts("rivals.bpnet_")
    case = cases.Case((3, 4, 2), 8)
    problem = cases.Problem(case, "float32")
    make = getattr(rival, kind.capitalize())
    compare.check(cases.Work(kind, case), problem, rival, make(case, problem))
    other = make(replace(case, activation="tanh"), problem)
    with pytest.raises(compare.DisagreementError, match=r"3-4-2, 8: .*bpnet"):
        compare.check(cases.Work(kind, case), problem, rival, other)


def test_xla_is_told_only_the_flags_that_it_knows(parts):
    pytest.importorskip("jaxlib")
    switches = parts("switches")
    assert switches.xla_knows("--xla_cpu_max_isa=AVX2")
    assert not switches.xla_knows("--xla_cpu_no_such_flag=")


def test_rival_that_is_not_held_to_avx2_is_named_and_left_out(parts, monkeypatch):
    avx2, timing = parts("avx2"), parts("timing")

    class Sleeping:
        """Each call takes a millisecond, so its product of 2^32 operations runs at 4000 GFLOP/s."""

        def __init__(self, case, problem):
            pass

        def run(self, calls):
            timing.time.sleep(1e-3 * calls)

    rival = SimpleNamespace(NAME="theano", Prediction=Sleeping)
    trains_only = SimpleNamespace(NAME="keras")
    without_switch = SimpleNamespace(NAME="caffe", NO_SWITCH=True)
    assert avx2.held([rival, trains_only], "float32", peak=6000) == ([rival, trains_only], [])
    kept, (line,) = avx2.held([rival, trains_only], "float32", peak=100)
    assert kept == [trains_only]
    monkeypatch.setattr(avx2.bpnet, "get_config", lambda: {"isa_available": ["baseline", "v3", "v4"]})
    assert avx2.held([without_switch], "float32", 100) == ([], ["caffe is left out: no switch holds it to AVX2"])
    monkeypatch.setattr(avx2.bpnet, "get_config", lambda: {"isa_available": ["baseline", "v3"]})
    assert avx2.held([without_switch], "float32", 100) == ([without_switch], [])
    assert re.match(r"theano is left out: [1-4]\d{3} GFLOP/s", line)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("c++") or os.environ.get("CXX")), reason="there is no C++ compiler")
def test_cpp_stands_beside_python(tmp_path, monkeypatch):
    pytest.importorskip("cmake")
    # The simplest level is compiled in half the time of the best, and a little optimised in two thirds of that.
    monkeypatch.setenv("BPNET_ISA", bpnet.get_config()["isa_available"][-1])
    monkeypatch.setenv("CMAKE_BUILD_TYPE", "None")
    monkeypatch.setenv("CXXFLAGS", "-O1")
    options = ("--table", "training", "prediction", "--rows", "2-16-1", "--rivals", "numpy_")
    printed = run(
        *options, "--cpp", tmp_path / "programs", "--dtype", "float64", "--output", tmp_path / "out", seconds=900
    )
    for title in ("Microseconds a training step", "Microseconds a prediction"):
        (row,) = table(printed, title)
        python, cpp = (minimum_and_median(row[name])[0] for name in ("bpnet", "bpnet, C++"))
        assert float(row["Python adds"]) == pytest.approx(python - cpp, abs=2e-2 * python)
    layers = table(printed, "one dense n x n layer, one sample; nanoseconds, alone and with tanh")
    assert [row["n"] for row in layers] == ["4", "8", "16", "32", "64"]
    written = json.loads((tmp_path / "out" / "benchmarks.json").read_text(encoding="utf-8"))
    assert [row["n"] for row in written["layers"]] == [4, 8, 16, 32, 64]
