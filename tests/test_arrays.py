"""What goes in: every layout, every real type and every holder of numbers gives the bits of its contiguous copy."""

import array
import subprocess
import sys
import tempfile
from collections import UserList, deque
from typing import NamedTuple

import bpnet
import numpy as np
import pytest
from bpnet._arrays import as_array
from nets import bits, gradient_bits, random_net

REAL = ["bool", *(f"{sign}int{size}" for sign in ("", "u") for size in (8, 16, 32, 64))]
REAL += ["float16", "float32", "float64", "longdouble"]
EVERYTHING = ("parameters", "x", "layers")
M = 150  # three tiles, the last one not full


def numbers(rng, shape, dtype):
    """Of any real type, fractions where it has them, none negative: they may be weights."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.uniform(0.1, 3, shape).astype(dtype)
    a = rng.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
    a.flat[:2] = 1  # which the layouts that repeat one number repeat
    return a


# ---- layouts: the same numbers (but for zero strides, which repeat one) lying otherwise ------------------------------


class Units(np.ndarray):
    """A subclass that means something else by indexing and arithmetic: only its memory counts."""

    def __getitem__(self, key):
        raise AssertionError("looked into")

    def __array_ufunc__(self, *args, **more):
        raise AssertionError("computed with")


def sliced(a):
    parent = np.zeros([3 * n + 1 for n in a.shape], a.dtype)
    view = parent[tuple(slice(1, None, 3) for _ in a.shape)]
    view[...] = a
    return view


def field(a):
    """Of packed records: strides are no multiple of the item size, and items lie at odd addresses."""
    records = np.zeros(a.shape, [("before", "i1"), ("value", a.dtype), ("after", "S2")])
    records["value"] = a
    return records["value"]


def subarray_field(a):
    records = np.zeros(len(a), [("before", "i1"), ("row", a.dtype, a.shape[1:])])
    records["row"] = a
    return records["row"]


def unaligned(a):
    memory = np.zeros(a.nbytes + 1, np.uint8)
    view = memory[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def read_only(a):
    a.flags.writeable = False
    return a


def mapped(a):
    """Pages that the processor itself forbids to write to."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(7) + a.tobytes())
        file.flush()
        return np.memmap(file.name, a.dtype, "r", 7, a.shape)


LAYOUTS = {
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "sliced": sliced,
    "rows upside down": lambda a: a[::-1],
    "all backwards": np.flip,
    "every second, backwards": lambda a: np.flip(sliced(a)),
    "one row again and again": lambda a: np.broadcast_to(a[:1], a.shape),
    "one number again and again": lambda a: np.broadcast_to(a.ravel()[1], a.shape),
    "overlapping rows": lambda a: np.lib.stride_tricks.as_strided(a, a.shape, (a.itemsize,) * a.ndim),
    "field of records": field,
    "rows of records": subarray_field,
    "unaligned": unaligned,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "byte-swapped, sliced": lambda a: sliced(a.astype(a.dtype.newbyteorder())),
    "byte-swapped field": lambda a: field(a.astype(a.dtype.newbyteorder())),
    "read-only": read_only,
    "memory map": mapped,
    "memory map, backwards": lambda a: mapped(a)[::-1],
    "subclass": lambda a: a.view(Units),
    "record array": lambda a: a.view(np.recarray),
}


def owner(a):
    """The memory that a lies in, as far as NumPy knows."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a.view(np.ndarray)


def everything(net, x, y, w):
    """What every call makes of these three; the network ends up trained."""
    m = len(np.asarray(x).view(np.ndarray)) if isinstance(x, np.ndarray) else len(x)
    out = np.empty((m, net.sizes[-1]), net.dtype)
    assert net.predict(x, out=out) is out
    forward = net.forward(x)
    results = [net.predict(x), out, net(x), *forward.z, *forward.a, net.cost(x, y, sample_weight=w)]
    results += [net.cost(x, y, "huber", reduction="sum")]
    trainer = bpnet.Trainer(net, optimizer=bpnet.SGD(learning_rate=1e-6))
    gradients = gradient_bits(net.gradient(x, y, sample_weight=w, wrt=EVERYTHING))
    results += [trainer.step(x, y), trainer.step(x, y, w)]
    trainer.fit(x, y, epochs=1, batch_size=7)
    history = trainer.fit(x, y, sample_weight=w, epochs=2, batch_size=7, validation=(x, y, w))
    results += [history.cost, history.validation_cost]
    results += [trainer.fit_batches(iter([(x, y, w)] * 2), prefetch=ahead).cost for ahead in (0, 1)]
    return [*map(bits, results), *gradients, bits(net.parameters)]


@pytest.mark.parametrize("given", REAL)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, given):
    """x, y and sample_weight, each in this layout, in this type, for both networks."""
    rng = np.random.default_rng(0)
    x, y, w = (LAYOUTS[layout](numbers(rng, shape, given)) for shape in ((M, 5), (M, 2), (M,)))
    kept = [bits(owner(a)) for a in (x, y, w)]
    for dtype in ("float32", "float64"):
        plain = [np.array(a.view(np.ndarray), dtype=dtype, order="C") for a in (x, y, w)]
        assert not any(np.shares_memory(a, b) for a, b in zip(plain, (x.view(np.ndarray), y, w), strict=True))
        net = lambda: random_net([5, 4, 2], dtype=dtype)  # noqa: B023, E731
        assert everything(net(), x, y, w) == everything(net(), *plain)
    assert [bits(owner(a)) for a in (x, y, w)] == kept


@pytest.mark.parametrize("given", REAL)
@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"subclass"}))
def test_layouts_of_samples_and_flat_targets(layout, given):
    """One sample (n_0,); targets (m,) of one output; the network standardised on such data."""
    rng = np.random.default_rng(1)
    x, y = (LAYOUTS[layout](numbers(rng, shape, given)) for shape in ((M, 5), (M,)))
    one = LAYOUTS[layout](numbers(rng, (5,), given))
    for dtype in ("float32", "float64"):
        results = []
        for samples, targets, sample in ((x, y, one), [np.array(a, dtype=dtype, order="C") for a in (x, y, one)]):
            net = random_net([5, 4, 1], dtype=dtype)
            assert bits(net.predict(sample)) == bits(net.predict(sample.reshape(1, 5))[0])
            g = net.gradient(samples, targets, wrt=EVERYTHING)
            net.fit(samples, targets, epochs=2, optimizer=bpnet.SGD(learning_rate=1e-6), validation=0.3)
            results.append((bits(net.predict(sample)), gradient_bits(g), bits(net.parameters)))
        assert results[0] == results[1]


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"subclass"}))
def test_layouts_are_standardised_alike(layout):
    x = LAYOUTS[layout](numbers(np.random.default_rng(2), (M, 5), "float32"))
    nets = [random_net([5, 4, 1], dtype="float32") for _ in range(2)]
    nets[0].normalize(x, x[:, :1])
    nets[1].normalize(np.array(x), np.array(x[:, :1]))
    for name in ("input_shift", "input_scale", "output_shift", "output_scale"):
        assert bits(getattr(nets[0], name)) == bits(getattr(nets[1], name))


@pytest.mark.parametrize("given", [t for t in REAL if np.dtype(t).kind in "iu"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_labels(layout, given):
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(M, 5)), LAYOUTS[layout](rng.integers(0, 3, M).astype(given))
    plain = np.array(labels.view(np.ndarray), np.int64)
    nets = [bpnet.Network([5, 4, 3], "tanh", "softmax", seed=0) for _ in range(2)]
    for net, y in zip(nets, (labels, plain), strict=True):
        net.fit(x, y, cost="cross_entropy", epochs=2)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    assert nets[0].cost(x, labels, "cross_entropy") == nets[1].cost(x, plain, "cross_entropy")


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"overlapping rows"}))
@pytest.mark.parametrize("given", ["float32", "int8"])
def test_no_rows(layout, given):
    """Predicted and walked through; whatever address NumPy gives them."""
    if layout.startswith(("one number", "memory map")):
        pytest.skip("there is none")
    x = LAYOUTS[layout](np.zeros((0, 3), given))
    net = random_net([3, 4, 2], dtype="float32")
    assert net.predict(x).shape == (0, 2)
    assert net.predict(x, out=np.empty((0, 2), np.float32)).shape == (0, 2)
    assert [a.shape for a in net.forward(x).a] == [(0, 3), (0, 4), (0, 2)]


def test_a_matrix_keeps_its_two_axes():
    """np.matrix is taken as the array with two axes that it is, which does for x and y; weights have one."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(M, 3)), rng.normal(size=(M, 1))
    with pytest.warns(PendingDeprecationWarning):
        matrices = np.matrix(x), np.matrix(y)
    nets = [random_net([3, 4, 1]) for _ in range(2)]
    for net, (a, b) in zip(nets, ((x, y), matrices), strict=True):
        net.normalize(a, b)
        net.fit(a, b, epochs=2, validation=0.2)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    with pytest.warns(bpnet.TargetRangeWarning, match="y goes from"):
        random_net([3, 4, 1], "tanh", "sigmoid").fit(matrices[0], 9 * matrices[1], epochs=1)
    assert type(nets[0].predict(matrices[0])) is np.ndarray
    with pytest.raises(ValueError, match=r"sample_weight has shape \(1, 150\)"):
        nets[0].cost(*matrices, sample_weight=matrices[1].T)


# ---- holders of numbers that are no arrays ---------------------------------------------------------------------------


class WithInterface:
    def __init__(self, a):
        self.kept = a
        self.__array_interface__ = a.__array_interface__


class WithArray:
    def __init__(self, a):
        self.kept = a

    def __array__(self, dtype=None, copy=None):
        return self.kept


class WithDLPack:
    """As a tensor of a library that has never heard of NumPy."""

    def __init__(self, a):
        self.kept = a

    def __dlpack__(self, **more):
        return self.kept.__dlpack__(**more)

    def __dlpack_device__(self):
        return self.kept.__dlpack_device__()


SHARED = {  # what is used where it lies
    "memoryview": memoryview,
    "memoryview, backwards": lambda a: memoryview(a[::-1])[::-1],
    "array interface": WithInterface,
    "__array__": WithArray,
    "DLPack": WithDLPack,
}
HOLDERS = SHARED | {
    "list": lambda a: a.tolist(),
    "tuple of tuples": lambda a: tuple(map(tuple, a.tolist())) if a.ndim > 1 else tuple(a.tolist()),
    "list of arrays": list,
}


@pytest.mark.parametrize("given", ["float32", "float64", "int16", "uint8", "bool"])
@pytest.mark.parametrize("holder", HOLDERS)
def test_holders(holder, given):
    rng = np.random.default_rng(5)
    plain = [numbers(rng, shape, given) for shape in ((M, 5), (M, 2), (M,))]
    nets = [random_net([5, 4, 2], dtype="float32") for _ in range(2)]
    results = []
    for net, hold in zip(nets, (HOLDERS[holder], lambda a: a), strict=True):
        x, y, w = map(hold, plain)
        g = net.gradient(x, y, sample_weight=w, wrt=EVERYTHING)
        cost = net.fit(x, y, sample_weight=w, epochs=1, validation=(x, y), optimizer=bpnet.SGD(learning_rate=1e-6)).cost
        net.normalize(x, y)
        results.append((bits(net.predict(x)), bits(net.predict(hold(plain[0][7]))), gradient_bits(g), cost))
    assert results[0] == results[1]


@pytest.mark.parametrize("holder", SHARED)
def test_holders_share_their_memory(holder):
    a = np.arange(12, dtype=np.float32).reshape(4, 3)
    view = as_array("x", SHARED[holder](a))
    assert np.shares_memory(view, a)
    assert bits(view) == bits(a)


def test_the_buffer_protocol():
    net = random_net([3, 4, 2])
    want = bits(net.predict(np.array([1.0, 2.0, 3.0])))
    assert bits(net.predict(array.array("d", [1, 2, 3]))) == want
    assert bits(net.predict(array.array("h", [1, 2, 3]))) == want
    assert bits(net.predict(bytearray([1, 2, 3]))) == want
    assert bits(net.predict(memoryview(bytes([1, 2, 3])))) == want  # read-only
    assert bits(net.predict(memoryview(array.array("d", [3, 2, 1]))[::-1])) == want
    assert bits(net.predict(np.frombuffer(b"\1\2\3", np.uint8))) == want
    assert bits(net.predict(range(1, 4))) == want


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_frames(library):
    frames = pytest.importorskip(library)
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(M, 3)), rng.normal(size=M)
    frame = frames.DataFrame({name: x[:, i] for i, name in enumerate("abc")})
    series = frames.Series(y)
    nets = [random_net([3, 4, 1], output_activation="tanh") for _ in range(2)]
    with pytest.warns(bpnet.TargetRangeWarning):
        nets[0].fit(frame, series, sample_weight=frames.Series(abs(y)), epochs=2, validation=0.2)
    with pytest.warns(bpnet.TargetRangeWarning):
        nets[1].fit(x, y, sample_weight=abs(y), epochs=2, validation=0.2)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    assert bits(nets[0].predict(frame)) == bits(nets[1].predict(x))
    with pytest.raises(TypeError, match=r"x \(DataFrame\) has dtype object"):
        nets[0].predict(frames.DataFrame({"a": ["1"], "b": ["2"], "c": [3]}))


# ---- tensors ---------------------------------------------------------------------------------------------------------


def test_a_tensor_is_used_where_it_lies():
    torch = pytest.importorskip("torch")
    x = torch.arange(15, dtype=torch.float32).reshape(5, 3) / 7
    y = torch.ones(5, 2, dtype=torch.float64)
    view = as_array("x", x)
    assert view.__array_interface__["data"][0] == x.data_ptr()
    net = random_net([3, 4, 2], dtype="float32")
    for tensor in (x, x.T.contiguous().T, x.double(), x.half(), x.repeat(1, 2)[:, ::2]):
        assert bits(net.predict(tensor)) == bits(net.predict(tensor.numpy().copy()))
    assert net.cost(x, y) == net.cost(x.numpy().copy(), y.numpy().copy())
    trainer = bpnet.Trainer(net)
    trainer.fit(x, y, epochs=2, validation=0.2)
    trainer.step(x, y)
    trainer.fit_batches([(x, y)])


def test_a_tensor_that_cannot_be_read_says_why():
    torch = pytest.importorskip("torch")
    net = random_net([3, 4, 2])
    for tensor, words in (
        (torch.zeros(5, 3, requires_grad=True), r"requires grad.*detach"),
        (torch.zeros(5, 3, device="meta"), "meta"),
        (torch.zeros(5, 3, dtype=torch.bfloat16), r"BFloat16"),
        (torch.zeros(5, 3).to_sparse(), "sparse|Sparse"),
    ):
        with pytest.raises(TypeError, match=rf"x \(Tensor\) cannot be read as an array of real numbers: .*{words}"):
            net.predict(tensor)


# ---- nothing is converted whole --------------------------------------------------------------------------------------


def run(script):
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA bounds what is mapped on Linux only")
@pytest.mark.parametrize(
    "layout", ["x", "x[::-1]", "x.T.reshape(8, -1).T", "x.astype('float16')", "x.byteswap().view('>f8')"]
)
def test_a_limit_of_memory_that_no_copy_would_fit_into(layout):
    """The data has 64 MiB (16 in half precision); 8 MiB are left when the calls begin."""
    run(f"""
import resource, tempfile, numpy as np, bpnet
net = bpnet.Network([8, 4, 1], "tanh", "identity", seed=0)
x = np.random.default_rng(0).uniform(0.1, 1, (1 << 20, 8))
x = {layout}
y, w, out = x[:, 1], x[:, 2], np.empty((1 << 20, 1), "f4")
def calls(x, y, w, out):
    net.predict(x, out=out, threads=1)
    net.cost(x, y, sample_weight=w, threads=1)
    net.gradient(x, y, sample_weight=w, threads=1)
    net.normalize(x, y)
    trainer = bpnet.Trainer(net, threads=1)
    trainer.step(x, y, w)
    trainer.fit(x, y, sample_weight=w, epochs=1, batch_size=4096, validation=0.1)
calls(x[:99], y[:99], w[:99], out[:99])
used = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData:"))
resource.setrlimit(resource.RLIMIT_DATA, ((used + 8192) * 1024,) * 2)
try:
    np.ones(12 << 20, np.uint8)
except MemoryError:
    pass
else:
    raise AssertionError("the limit does not hold")
calls(x, y, w, out)
""")


class MyList(list):
    pass


class Two(NamedTuple):
    a: object
    b: object


@pytest.mark.parametrize(
    "values",
    [
        [1.0, np.ma.masked, 2.0],
        [1.0, np.ma.array(5.0, mask=True), 2.0],
        [[1.0, 2.0, 3.0], [np.ma.masked, 1.0, 2.0]],
        ([1.0, 2.0, 3.0], (1.0, 2.0, np.ma.array(5.0, mask=True))),
        [np.ma.array([1.0, 2.0, 3.0])],
        MyList([np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])]),
        Two(np.ma.array([1.0, 2.0, 3.0]), np.ma.array([1.0, 2.0, 3.0])),
        deque([[1.0, 2.0, 3.0], np.ma.array([1.0, 2.0, 3.0])]),
        UserList([UserList([1.0, 2.0, np.ma.masked])]),
    ],
)
def test_masked_numbers_in_lists_are_refused(values):
    with pytest.raises(TypeError, match="x .*is masked"):
        bpnet.Network([3, 2], seed=0).predict(values)


def test_a_list_inside_itself_is_refused():
    for times in (1, 2):
        values = [1.0, 2.0]
        values[1:] = [values] * times
        with pytest.raises(TypeError, match="^x "):
            bpnet.Network([2, 1]).predict(values)
