"""Shapes, types and layouts of what goes in: hypothesis chooses the sizes, NumPy's own conversion is the judge."""

import bpnet
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from nets import bits, gradient_bits, random_net

REAL = [
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
]
REAL.append("longdouble")
EVERYTHING = ("parameters", "x", "layers")

widths = st.lists(st.integers(1, 9), min_size=2, max_size=5)
batches = st.integers(1, 140)
dtypes = st.sampled_from(["float32", "float64"])
seeds = st.integers(0, 2**32)


def values(rng, shape, dtype):
    """Numbers of any real type, fractions where it has them."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)


@given(widths, batches, dtypes, seeds)
def test_every_result_has_the_shape_and_type_of_its_layer(sizes, m, dtype, seed):
    rng = np.random.default_rng(seed)
    net = random_net(sizes, dtype=dtype, seed=seed)
    x, y = rng.normal(size=(m, sizes[0])).astype(dtype), rng.normal(size=(m, sizes[-1])).astype(dtype)
    forward, g = net.forward(x), net.gradient(x, y, wrt=EVERYTHING)
    layers = [(m, n) for n in sizes]
    assert net.predict(x).shape == layers[-1]
    assert [z.shape for z in forward.z] == layers[1:]
    assert [a.shape for a in forward.a] == layers
    assert [d.shape for d in g.deltas] == layers[1:]
    assert [a.shape for a in g.activations] == layers
    assert g.x.shape == x.shape
    assert [W.shape for W in g.weights] == [W.shape for W in net.weights]
    assert [b.shape for b in g.biases] == [b.shape for b in net.biases]
    everything = (net.predict(x), *forward.z, *forward.a, g.flat, g.x, *g.deltas, *g.activations)
    assert {a.dtype for a in everything} == {np.dtype(dtype)}
    assert bits(forward.a[-1]) == bits(net.predict(x)) == bits(net(x))
    assert bits(forward.a[0]) == bits(x)
    assert bits(g.activations[0]) == bits(g.x)


@given(widths, dtypes, seeds)
def test_one_sample_drops_the_batch_axis_and_nothing_else(sizes, dtype, seed):
    rng = np.random.default_rng(seed)
    net = random_net(sizes, dtype=dtype, seed=seed)
    x, y = rng.normal(size=sizes[0]), rng.normal(size=sizes[-1])
    one, batch = net.forward(x), net.forward(x[None])
    assert bits(net.predict(x)) == bits(net.predict(x[None])[0])
    for a, b in zip(one.z + one.a, batch.z + batch.a, strict=True):
        assert bits(a) == bits(b[0])
    one, batch = net.gradient(x, y, wrt=EVERYTHING), net.gradient(x[None], y[None], wrt=EVERYTHING)
    assert one.cost == batch.cost == net.cost(x, y)
    assert bits(one.flat) == bits(batch.flat)
    for a, b in zip((one.x, *one.deltas, *one.activations), (batch.x, *batch.deltas, *batch.activations), strict=True):
        assert bits(a) == bits(b[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given_type", REAL)
def test_every_real_type_equals_its_conversion(given_type, dtype):
    rng = np.random.default_rng(0)
    net = random_net([5, 4, 2], dtype=dtype)
    x, y, w = (values(rng, shape, given_type) for shape in ((150, 5), (150, 2), 150))
    w = abs(w) if given_type != "bool" else w
    w[0] = 1
    converted = [x.astype(dtype), y.astype(dtype), w.astype(dtype)]
    assert bits(net.predict(x)) == bits(net.predict(converted[0]))
    ours = net.gradient(x, y, sample_weight=w, wrt=EVERYTHING)
    assert gradient_bits(ours) == gradient_bits(
        net.gradient(*converted[:2], sample_weight=converted[2], wrt=EVERYTHING)
    )
    twins = [random_net([5, 4, 2], dtype=dtype) for _ in range(2)]
    for twin, (a, b, c) in zip(twins, ((x, y, w), converted), strict=True):
        twin.fit(a, b, sample_weight=c, epochs=2, batch_size=7, optimizer=bpnet.SGD(learning_rate=1e-6), seed=0)
    assert bits(twins[0].parameters) == bits(twins[1].parameters)


@given(hnp.arrays(np.float64, (7, 3), elements=st.floats(allow_nan=False, allow_infinity=False)), dtypes)
def test_numbers_are_rounded_as_numpy_rounds_them(x, dtype):
    with np.errstate(over="ignore"):
        want = x.astype(dtype)
    net = bpnet.Network([3, 3], output_activation="identity", dtype=dtype, init="zeros")
    assert bits(net.forward(x).a[0]) == bits(want)


@given(hnp.arrays(np.int64, (7, 3)), dtypes)
def test_integers_are_rounded_once(x, dtype):
    net = bpnet.Network([3, 3], output_activation="identity", dtype=dtype, init="zeros")
    assert bits(net.forward(x).a[0]) == bits(x.astype(dtype))


def test_every_float16_arrives():
    x = np.arange(2**16, dtype=np.uint16).view(np.float16).reshape(-1, 2)
    net = bpnet.Network([2, 1], output_activation="identity", dtype="float32", init="zeros")
    got, want = net.forward(x).a[0], x.astype(np.float32)
    assert np.array_equal(got, want, equal_nan=True)


@pytest.mark.parametrize("x", [[[1, 2], [3, 4]], [(1.0, 2), (3, 4)], ((True, 2), (3, 4.0))])
def test_lists_and_tuples(x):
    net = random_net([2, 3, 1])
    assert bits(net.predict(x)) == bits(net.predict(np.array(x, "float64")))
    assert bits(net.predict(x[0])) == bits(net.predict(np.array(x[0], "float64")))


def test_targets_of_one_output_may_be_a_vector():
    net = random_net([3, 4, 1])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(70, 3)), rng.normal(size=70)
    column = net.gradient(x, y[:, None], wrt=EVERYTHING)
    assert gradient_bits(net.gradient(x, y, wrt=EVERYTHING)) == gradient_bits(column)
    assert net.cost(x, y) == column.cost
    assert net.cost(x[0], y[0]) == net.cost(x[0], y[:1]) == net.cost(x[:1], y[:1])
    twins = [random_net([3, 4, 1]) for _ in range(2)]
    twins[0].fit(x, y, seed=0, epochs=2, validation=(x, y))
    twins[1].fit(x, y[:, None], seed=0, epochs=2, validation=(x, y[:, None]))
    assert bits(twins[0].parameters) == bits(twins[1].parameters)


def test_the_result_may_be_written_in_place():
    net = random_net([3, 4, 2])
    x = np.random.default_rng(0).normal(size=(70, 3))
    want = net.predict(x)
    out = np.full((72, 2), 7.0)
    assert net.predict(x, out=out[1:71]).base is out
    assert bits(out[1:71]) == bits(want)
    assert (out[[0, 71]] == 7).all()
    single = np.empty(2)
    assert net.predict(x[0], out=single) is single
    assert bits(single) == bits(want[0])


def test_inputs_are_left_alone():
    net = random_net([3, 4, 2])
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(70, 3)), rng.normal(size=(70, 2)), rng.uniform(size=70)
    kept = [bits(a) for a in (x, y, w)]
    for a in (x, y, w):
        a.flags.writeable = False
    net.predict(x)
    net.gradient(x, y, sample_weight=w, wrt=EVERYTHING)
    net.fit(x, y, sample_weight=w, epochs=1)
    net.normalize(x, y)
    assert [bits(a) for a in (x, y, w)] == kept


def test_no_rows_give_no_rows():
    net = random_net([3, 4, 2])
    assert net.predict(np.empty((0, 3))).shape == (0, 2)
    assert [a.shape for a in net.forward(np.empty((0, 3))).a] == [(0, 3), (0, 4), (0, 2)]


def test_views_are_writable_share_memory_and_outlive_the_network():
    net = random_net([3, 4, 2])
    assert np.shares_memory(net.parameters, net.weights[0])
    net.weights[0][1, 2] = 42
    assert net.parameters[2 * 4 + 1] == 42  # column-major
    net.biases[1][0] = 43
    assert net.parameters[-2] == 43
    net.parameters[...] = np.arange(net.n_parameters)
    assert net.weights[1].ravel("F").tolist() == list(range(16, 24))
    assert net.weights[0].flags.f_contiguous
    kept = net.parameters
    del net
    assert kept.sum() == sum(range(26))
