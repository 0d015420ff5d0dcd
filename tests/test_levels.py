"""The instruction-set levels: which one runs where, and that they agree."""

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bpnet
import numpy as np
import pytest
from bpnet import _core
from nets import bits

ANSWERS = Path(__file__).with_name("level_answers.py")
PACKAGE = Path(_core.__file__).parent
AVAILABLE = bpnet.get_config()["isa_available"]
FUSED = [isa for isa in AVAILABLE if isa != "baseline"]
QEMU = shutil.which("qemu-x86_64")

# What a level without fused multiply-add may differ by, in the norm of all answers to one question: the worst seen, of
# the activation exponential, is 7 eps; every other one is below 2.
UNFUSED = {name: 16 * float(np.finfo(name).eps) for name in ("float32", "float64")}

needs_x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="for x86-64")


def run(*command, isa=None):
    # OpenBLAS can be told to take the machine for a processor that the emulated one is not.
    kept = {k: v for k, v in os.environ.items() if k not in ("BPNET_ISA", "OPENBLAS_CORETYPE")}
    forced = {} if isa is None else {"BPNET_ISA": isa}
    done = subprocess.run(list(map(str, command)), env=kept | forced, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """All that level_answers.py computes at a level, or on a processor that is emulated."""

    @functools.cache
    def of(isa=None, processor=None):
        path = tmp_path_factory.mktemp("answers") / "found.npz"
        run(*([QEMU, "-cpu", processor] if processor else []), sys.executable, ANSWERS, path, isa=isa)
        with np.load(path) as found:
            return dict(found)

    return of


def assert_same_bits(found, expected, prefix=""):
    names = [name for name in expected if name.startswith(prefix) and name != "isa"]
    assert names
    assert [name for name in names if bits(found[name]) != bits(expected[name])] == []
    assert found.keys() == expected.keys()


@pytest.mark.parametrize("isa", FUSED[1:])
def test_levels_with_fused_multiply_add_give_the_same_bits(isa, answers):
    assert answers(isa)["isa"] == isa
    assert answers(FUSED[0])["isa"] == FUSED[0]
    assert_same_bits(answers(isa), answers(FUSED[0]))


@pytest.mark.skipif("baseline" not in AVAILABLE or not FUSED, reason="needs a level with and one without")
def test_the_level_without_draws_the_same_and_rounds_differently(answers):
    without, fused = answers("baseline"), answers(FUSED[0])
    assert without["isa"] == "baseline"
    assert_same_bits(without, fused, prefix="draw")
    far = {}
    for name in fused.keys() - {"isa"}:
        got, expected = without[name].astype("float64"), fused[name].astype("float64")
        distance = np.linalg.norm(got - expected) / np.linalg.norm(expected)
        far[name] = distance / UNFUSED[name.split()[-1]]
    assert {name: d for name, d in far.items() if not d <= 1} == {}
    assert max(far.values()) > 0  # or one level ran twice


# ---- other processors ------------------------------------------------------------------------------------------------

PROCESSORS = {
    "Nehalem": ["baseline"],  # no AVX
    "SandyBridge": ["baseline"],  # AVX, but neither AVX2 nor fused multiply-add
    "Haswell": ["v3", "baseline"],
    "Haswell,-fma": ["baseline"],
    "Haswell,-movbe": ["baseline"],
    "Haswell,-abm": ["baseline"],  # no count of leading zeros
    "Haswell,-xsave": ["baseline"],  # an operating system that does not save the wide registers
}

needs_qemu = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() != "x86_64" or not QEMU, reason="needs qemu-user"
)


def emulates(processor):
    """Whether this QEMU knows all that matters here: before 7.2 there is no AVX."""
    if processor == "Nehalem":
        return True
    major, minor = re.search(r"version (\d+)\.(\d+)", run(QEMU, "--version")).groups()
    return (int(major), int(minor)) >= (7, 2)


@needs_qemu
@pytest.mark.parametrize("processor", PROCESSORS)
def test_an_older_processor_runs_what_it_can(processor):
    if not emulates(processor):
        pytest.skip("this QEMU has no AVX")
    script = "import bpnet; c = bpnet.get_config(); print(c['isa'], *c['isa_available'])"
    levels = PROCESSORS[processor]
    assert run(QEMU, "-cpu", processor, sys.executable, "-c", script).split() == [levels[0], *levels]


@needs_qemu
@pytest.mark.slow
@pytest.mark.parametrize("processor", ["Nehalem", "Haswell"])
def test_an_older_processor_gives_the_same_bits(processor, answers):
    """Nothing but the level decides: neither Eigen, nor the C library, nor NumPy choose differently there."""
    isa = PROCESSORS[processor][0]
    if isa not in AVAILABLE or not emulates(processor):
        pytest.skip(f"nothing to compare {processor} with")
    emulated = answers(processor=processor)
    assert emulated["isa"] == isa
    assert_same_bits(emulated, answers(isa))


# ---- what was compiled -----------------------------------------------------------------------------------------------

WIDE = re.compile(r"%[yz]mm|%k[0-7]\b|^\s*v[a-z]")  # AVX and later: registers, and every mnemonic that begins with v


def instructions(path):
    listing = run("objdump", "--disassemble", "--no-show-raw-insn", path)
    lines = [line.split("\t", 1)[1] for line in listing.splitlines() if "\t" in line]
    assert len(lines) > 10_000, path
    return [line for line in lines if not line.startswith(("verr", "verw"))]


@needs_x86
@pytest.mark.skipif(not shutil.which("objdump"), reason="needs objdump")
def test_what_runs_everywhere_holds_no_avx():
    everywhere = [PACKAGE / "libbpnet_engine_baseline.so", Path(_core.__file__)]
    for path in everywhere:
        assert [line for line in instructions(path) if WIDE.search(line)] == [], path.name
    for level in ("v3", "v4"):  # the same scan does find it
        assert any(WIDE.search(line) for line in instructions(PACKAGE / f"libbpnet_engine_{level}.so"))
