"""Elementwise accuracy: a dense sample of each function against mpmath, in units in the last place.

The promise (docs, Numerics): sigmoid and tanh within 2 ulp, the others within 4, in both dtypes.
"""

import subprocess
import sys
from pathlib import Path

import bpnet
import numpy as np
import oracle
import pytest
from bpnet import _core

LIMIT = {"sigmoid": 2, "tanh": 2}
NAMES = list(oracle.ACTIVATIONS)
mp = oracle.mp

# a derivative with a sign change is judged against the size of its terms
TERMS = {
    "gelu": lambda z: oracle.normal_cdf(z) + abs(z) * oracle.normal_density(z),
    "silu": lambda z: oracle.sigmoid(z) * (1 + abs(z) * oracle.sigmoid(-z)),
    "mish": lambda z: abs(oracle.mish_slope(z)) + abs(z) * (1 - mp.tanh(mp.log1p(mp.exp(z))) ** 2) * oracle.sigmoid(z),
}
OTHERS = {"exp": mp.exp, "log": mp.log, "log1p": mp.log1p, "expm1": mp.expm1}


def sample(dtype, reach):
    """Both signs, every binade from tiny to `reach`, dense where functions bend, and the awkward ends."""
    rng = np.random.default_rng(0)
    tiny = float(np.finfo(dtype).smallest_subnormal)
    z = [
        rng.uniform(-1, 1, 300),
        rng.uniform(-10, 10, 300),
        rng.uniform(-100, 100, 150),
        rng.uniform(-reach, reach, 150),
        np.exp(rng.uniform(np.log(1e-30), np.log(reach), 300)) * rng.choice([-1, 1], 300),
        np.arange(-40, 41) / 2,
        np.array([0.0, tiny, -tiny, 17 * tiny, -float(np.finfo(dtype).tiny), reach, -reach]),
        np.log(2) * np.arange(-20, 21) / 2,  # where exp changes its power of 2
        np.pi / 4 * np.arange(-20, 21),
        np.linspace(-38.7, -36.5, 100) if dtype == "float64" else np.linspace(-14.3, -12.5, 100),  # where gelu ends
    ]
    with np.errstate(under="ignore"):
        return np.concatenate(z).astype(dtype)


def report(worst, z, got, want):
    i = int(np.argmax(worst))
    return f"{worst[i]:.2f} ulp at z = {float(z[i])!r}: {got[i]!r} instead of {mp.nstr(want[i], 20)}"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_values(name, dtype):
    z = sample(dtype, 800.0 if dtype == "float64" else 110.0)
    if name == "leaky_relu" and dtype == "float32":  # the constant itself is rounded: its own ulp more
        want = [v if v > 0 else mp.mpf(float(np.float32(0.01))) * v for v in oracle.exact(z)]
    else:
        want = [oracle.ACTIVATIONS[name][0](v) for v in oracle.exact(z)]
    got = _core.elementwise(name, z, False)
    assert got.dtype == dtype
    worst = oracle.ulps(got, want)
    assert worst.max() <= LIMIT.get(name, 4), report(worst, z, got, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_slopes(name, dtype):
    z = sample(dtype, 800.0 if dtype == "float64" else 110.0)
    want = [oracle.ACTIVATIONS[name][1](v) for v in oracle.exact(z)]
    got = _core.elementwise(name, z, True)
    assert got.dtype == dtype
    worst = oracle.ulps(got, want)
    if name in TERMS:  # ulp of the terms instead of ulp of their sum
        size = [TERMS[name](v) for v in oracle.exact(z)]
        info = np.finfo(dtype)
        place = [mp.ldexp(1, max(int(mp.frexp(s)[1]) - 1, info.minexp) - info.nmant) for s in size]
        worst = np.array([float(abs(mp.mpf(float(g)) - w) / p) for g, w, p in zip(got, want, place, strict=True)])
    # far out a factor z (or 2 z) meets a number that was rounded to a subnormal one
    subnormal = [abs(w) < abs(float(v)) * float(np.finfo(dtype).tiny) for v, w in zip(z, want, strict=True)]
    worst = worst - np.where(subnormal, abs(z), 0)
    assert worst.max() <= 6, report(worst, z, got, want)  # a product of two functions of 2 ulp each, rounded


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sine_far_out(dtype):
    """Arguments whose reduction needs many digits of pi."""
    z = np.concatenate([np.geomspace(1e2, 1e10, 300), [355.0, 103993.0, 245850922.0, 2.0**40, 1e15, 1e22]]).astype(
        dtype
    )
    for slope in (False, True):
        want = [oracle.ACTIVATIONS["sine"][slope](v) for v in oracle.exact(z)]
        got = _core.elementwise("sine", z, slope)
        worst = oracle.ulps(got, want)
        assert worst.max() <= 4, report(worst, z, got, want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OTHERS)
def test_what_the_costs_are_made_of(name, dtype):
    z = sample(dtype, 100.0)
    z = {"log": abs(z[z != 0]), "log1p": z[z > -1]}.get(name, z)
    want = [OTHERS[name](v) for v in oracle.exact(z)]
    got = _core.elementwise(name, z, False)
    worst = oracle.ulps(got, want)
    assert worst.max() <= 4, report(worst, z, got, want)


def hardest_roots(most):
    """Every float64 x in [1, 4) whose root is nearest to halfway between two numbers: x = (M^2 + k) 2^-106 with M odd,
    2^53 < M < 2^54, and |k| <= most."""
    found = set()
    for digits in (54, 55):  # x is a multiple of 2^-52, and above 2 of 2^-51
        for k in range(-most, most + 1):
            if k % 8 != 7:  # M^2 is 1 modulo 8
                continue
            root = 1  # of -k modulo 8, then of one binary digit more each time
            for n in range(3, digits):
                if (root * root + k) % 2 ** (n + 1):
                    root += 2 ** (n - 1)
            for m in {sign * root + other for sign in (1, -1) for other in (0, 2 ** (digits - 1))}:
                m %= 2**digits
                if not 2**53 < m < 2**54:
                    continue
                x = m * m + k
                assert x % 2**digits == 0
                if 2**106 <= x < 2**108 and x % (2**54 if x < 2**107 else 2**55) == 0:
                    found.add(x / 2**106)
    return np.array(sorted(found))


def test_the_hardest_roots_are_hard():
    """Where a root of 53 digits is nearest to a halfway point, twice the digits are just enough to tell the side."""
    x = hardest_roots(25)
    assert len(x) > 10 and ((1 <= x) & (x < 4)).all() and 1 + 2**-52 in x
    for v in oracle.exact(x):
        beyond = mp.sqrt(v) * 2**52 % 1
        assert 0 < abs(beyond - mp.mpf(0.5)) < mp.mpf(2) ** -50


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_roots_are_correctly_rounded(dtype):
    """Those that optimizers take are the processor's to the last bit, however they are found."""
    rng = np.random.default_rng(1)
    info = np.finfo(dtype)
    bits = np.dtype(dtype).str.replace("f", "u")
    anywhere = rng.integers(0, np.array(info.max).view(bits), 200_000, dtype=bits, endpoint=True).view(dtype)
    hard = hardest_roots(4000)
    scales = 4.0 ** rng.integers(-300, 300, hard.size)
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, float(info.tiny), float(info.smallest_subnormal), float(info.max)]
    near_one = np.nextafter(np.array(1, dtype), np.array([0, 2], dtype))
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        x = np.concatenate([anywhere, rng.uniform(1, 4, 200_000), hard, hard * scales, near_one, 2.0**-900 * near_one])
        x = np.concatenate([x.astype(dtype), np.array(ends, dtype)])
        rng.shuffle(x)  # some registers have a lane at the ends, some have none
        want = np.sqrt(x)
    got = _core.elementwise("sqrt", x, False)
    assert (np.isnan(got) == np.isnan(want)).all()
    real = ~np.isnan(want)
    assert got[real].tobytes() == want[real].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_a_value_does_not_depend_on_its_place(name, dtype):
    """Whole registers and padded tails: the same bits at any position of any length."""
    z = sample(dtype, 50.0)[:67]
    for slope in (False, True):
        want = _core.elementwise(name, z, slope)
        for length in (1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 66):
            for start in (0, 1, 67 - length):
                part = np.ascontiguousarray(z[start : start + length])
                assert (_core.elementwise(name, part, slope) == want[start : start + length]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_networks_use_the_measured_functions(name, dtype):
    z = sample(dtype, 30.0)
    net = bpnet.Network([1, 1], output_activation=name, init=bpnet.Constant(value=1.0), dtype=dtype)
    assert net.predict(z[:, None]).ravel().tobytes() == _core.elementwise(name, z, False).tobytes()


@pytest.mark.skipif(np.finfo(np.longdouble).nmant != 63, reason="fitted in numbers of 64 binary digits")
def test_pieces_are_those_that_the_script_fits():
    root = Path(__file__).parents[1]
    header = root / "cpp/include/bpnet/engine/elementary/logistic_pieces.hpp"
    fitted = subprocess.run(
        [sys.executable, root / "tools/fit_logistic.py"], capture_output=True, text=True, check=True
    ).stdout
    assert fitted == header.read_text()
