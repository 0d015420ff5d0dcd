"""Initial parameters: their law, and that a seed fixes them everywhere."""

import bpnet
import numpy as np
import oracle
import pytest
from nets import bits

N_IN, N_OUT = 300, 200
COUNT = N_IN * N_OUT

# name: (lowest, highest, standard deviation) for a layer of 300 inputs and 200 outputs; None is unbounded
LAWS = {
    "glorot_uniform": (-((6 / 500) ** 0.5), (6 / 500) ** 0.5, (2 / 500) ** 0.5),
    "glorot_normal": (None, None, (2 / 500) ** 0.5),
    "he_uniform": (-((6 / 300) ** 0.5), (6 / 300) ** 0.5, (2 / 300) ** 0.5),
    "he_normal": (None, None, (2 / 300) ** 0.5),
    "lecun_uniform": (-((3 / 300) ** 0.5), (3 / 300) ** 0.5, (1 / 300) ** 0.5),
    "lecun_normal": (None, None, (1 / 300) ** 0.5),
    "normal": (None, None, 1),
    "uniform": (-0.05, 0.05, 0.1 / 12**0.5),
}


def layer(init, dtype="float64", seed=1, **options):
    net = bpnet.Network([N_IN, N_OUT], init=init, dtype=dtype, seed=seed, **options)
    return net.weights[0], net.biases[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAWS)
def test_random_laws(name, dtype):
    low, high, deviation = LAWS[name]
    W, b = layer(name, dtype)
    assert W.dtype == dtype
    assert abs(W.mean(dtype="float64")) < 5 * deviation / COUNT**0.5  # five standard errors
    assert abs(W.std(dtype="float64") / deviation - 1) < 5 * (0.5 / COUNT) ** 0.5 * (1.0 if low is None else 0.9)
    assert not b.any()
    if low is None:  # normal: 3 deviations hold all but 0.27 %
        assert 0.0018 < (abs(W) > 3 * deviation).mean() < 0.0037
        assert abs(W).max() > 3.7 * deviation
    else:
        margin = 1 + 1e-6
        assert low * margin <= W.min() < 0.99 * low
        assert 0.99 * high < W.max() <= high * margin
    for axis in (0, 1):  # rows and columns are independent draws
        neighbours = (
            np.corrcoef(W[:-1].ravel(), W[1:].ravel())[0, 1]
            if axis
            else np.corrcoef(W[:, :-1].ravel(), W[:, 1:].ravel())[0, 1]
        )
        assert abs(neighbours) < 5 / COUNT**0.5


@pytest.mark.parametrize(("init", "value"), [("zeros", 0), (bpnet.Constant(value=0.25), 0.25), ("constant", 0)])
def test_constants(init, value):
    W, b = layer(init)
    assert (W == value).all()
    assert not b.any()


@pytest.mark.parametrize(
    ("sizes", "shape"), [([5, 3], "rows"), ([3, 5], "columns"), ([4, 4], "both"), ([1, 1], "both")]
)
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal(sizes, shape, gain):
    W = bpnet.Network(sizes, init=bpnet.Orthogonal(gain=gain), dtype="float64", seed=3).weights[0]
    gram = W @ W.T if shape == "rows" else W.T @ W
    np.testing.assert_allclose(gram, gain**2 * np.eye(min(sizes)), atol=1e-14 * gain**2)


@pytest.mark.parametrize("sizes", [[1, 10], [3, 20], [10, 5]])
def test_nguyen_widrow(sizes):
    """Rows of norm beta = 0.7 n_out^(1/n_in), biases uniform in (-beta, beta)."""
    n_in, n_out = sizes
    net = bpnet.Network(sizes, "tanh", init="nguyen_widrow", dtype="float64", seed=4)
    beta = 0.7 * n_out ** (1 / n_in)
    np.testing.assert_allclose(np.linalg.norm(net.weights[0], axis=1), beta, rtol=1e-14)
    b = net.biases[0]
    assert (abs(b) <= beta).all()
    assert len(set(b.tolist())) == n_out
    assert abs(b).max() > beta / 4


@pytest.mark.parametrize(
    "bias_init",
    ["normal", "uniform", "constant", "zeros", bpnet.Normal(mean=3.0, std=0.0), bpnet.Constant(value=-2.0)],
    ids=str,
)
def test_biases_when_asked(bias_init):
    W, b = layer("zeros", bias_init=bias_init)
    assert not W.any()
    if isinstance(bias_init, bpnet.Normal):
        assert (b == 3).all()
    elif isinstance(bias_init, bpnet.Constant):
        assert (b == -2).all()
    else:
        deviation = {"normal": 1, "uniform": 0.1 / 12**0.5}.get(bias_init, 0)
        assert abs(b.std() - deviation) <= deviation * 5 * (0.5 / N_OUT) ** 0.5


AUTO = dict.fromkeys(oracle.ALL_ACTIVATIONS, "glorot_uniform")
AUTO |= dict.fromkeys(["relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus"], "he_normal")
AUTO |= {"selu": "lecun_normal", "sine": "he_uniform"}


@pytest.mark.parametrize("activation", AUTO)
def test_auto_goes_by_the_activation_of_the_layer(activation):
    auto, named = (bpnet.Network([7, 5, 3], activation, activation, init=i, seed=5) for i in ("auto", AUTO[activation]))
    assert bits(auto.parameters) == bits(named.parameters)
    assert bits(bpnet.Network([7, 5, 3], activation, activation, seed=5).parameters) == bits(auto.parameters)


@pytest.mark.parametrize("init", ["auto", "normal", "uniform", "orthogonal", "nguyen_widrow", "he_normal"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_seed_fixes_everything(init, dtype):
    make = lambda seed: bits(bpnet.Network([4, 5, 2], init=init, dtype=dtype, seed=seed, bias_init="normal").parameters)  # noqa: E731
    assert make(7) == make(7)
    assert make(7) != make(8)


def test_what_a_seed_may_be():
    make = lambda seed: bpnet.Network([4, 5, 2], seed=seed)  # noqa: E731
    assert make(7).seed == 7
    assert make(np.int64(7)).seed == 7
    assert make(2**64 - 1).seed == 2**64 - 1
    fresh = make(None)
    assert fresh.seed != make(None).seed
    assert bits(make(fresh.seed).parameters) == bits(fresh.parameters)
    assert bits(make(np.random.default_rng(1)).parameters) == bits(make(np.random.default_rng(1)).parameters)
    rng = np.random.default_rng(1)
    assert make(rng).seed != make(rng).seed
    sequence = np.random.SeedSequence(3)
    assert make(sequence).seed == make(np.random.SeedSequence(3)).seed


def test_float32_is_float64_rounded():
    small, large = (bpnet.Network([30, 20], init="normal", dtype=t, seed=6).parameters for t in ("float32", "float64"))
    assert bits(small) == bits(large.astype("float32"))


def test_layers_get_different_numbers():
    net = bpnet.Network([4, 4, 4], init="normal", bias_init="normal", seed=0)
    numbers = net.parameters.tolist()
    assert len(set(numbers)) == len(numbers)


# ---- the numbers themselves ------------------------------------------------------------------------------------------


def philox(counter, key):
    """Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011), from the paper."""
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k, q % 2**32, (p >> 32) ^ d ^ l, p % 2**32
        k, l = (k + 0x9E3779B9) % 2**32, (l + 0xBB67AE85) % 2**32
    return a, b, c, d


def uniforms(seed, use, layer, count):
    """Number i of a stream: half of block i // 2, its upper 53 bits as a fraction."""
    out = []
    stream = (use << 56) ^ layer
    for block in range(count // 2 + 1):
        words = philox((block, 0, stream % 2**32, stream >> 32), (seed % 2**32, seed >> 32))
        out += [(words[i] + (words[i + 1] << 32)) >> 11 for i in (0, 2)]
    return np.array(out[:count]) * 2.0**-53


def test_philox_known_answer():
    """The first known-answer vectors of the paper's own library."""
    assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox((2**32 - 1,) * 4, (2**32 - 1,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


@pytest.mark.parametrize("seed", [0, 5, 2**64 - 1])
def test_a_seed_means_the_same_numbers_everywhere(seed):
    init = bpnet.Uniform(low=0.0, high=1.0)
    net = bpnet.Network([7, 5, 3], init=init, bias_init=init, dtype="float64", seed=seed)
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), start=1):
        assert (W.ravel("F") == uniforms(seed, 1, layer, W.size)).all()
        assert (b == uniforms(seed, 2, layer, b.size)).all()


def test_normal_numbers_are_box_and_muller_of_these():
    """Two operations of a few ulp each between the two sides."""
    net = bpnet.Network([20, 10], init="normal", dtype="float64", seed=5)
    u, v = uniforms(5, 1, 1, 200).reshape(-1, 2).T
    radius, angle = np.sqrt(-2 * np.log(u + 2.0**-53)), 2 * np.pi * (v - 0.5)
    want = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]).ravel()
    np.testing.assert_allclose(net.weights[0].ravel("F"), want, rtol=1e-14, atol=1e-15)
