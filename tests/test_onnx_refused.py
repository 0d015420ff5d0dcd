"""ONNX models that bpnet.onnx.load refuses: what is no dense network by the name of its node, what is broken."""

import os

import bpnet
import numpy as np
import pytest
from nets import bits

onnx = pytest.importorskip("onnx")

from onnx import TensorProto  # noqa: E402
from onnx_graphs import B, Builder, W, X, make  # noqa: E402


def dense(g, x="x", n=4):
    return g.add("Gemm", x, W[:n], B)


def skip_connection(g):
    h = g.add("Relu", dense(g))
    return g.add("Add", h, g.add("Relu", dense(g, h, 3)))


REFUSED = {
    "convolution": (lambda g: g.add("Conv", "x", np.ones((1, 1, 1))), r"node 'n0' \(Conv\).*dense layers only"),
    "log softmax": (lambda g: g.add("LogSoftmax", dense(g)), r"node 'n1' \(LogSoftmax\).*Softmax"),
    "another domain": (lambda g: g.add("FusedGemm", "x", W, domain="com.microsoft"), r"\(com\.microsoft\.FusedGemm\)"),
    "relu6": (lambda g: g.add("Clip", dense(g), 0.0, 6.0), r"node 'n1' \(Clip\) computes no activation"),
    "a bound far out": (lambda g: g.add("Clip", dense(g), 0.0, 1e4), r"node 'n1' \(Clip\) computes no activation"),
    "leaky": (lambda g: g.add("LeakyRelu", dense(g), alpha=0.2), r"node 'n1' \(LeakyRelu\)"),
    "gelu by tanh": (lambda g: g.add("Gelu", dense(g), approximate="tanh"), r"node 'n1' \(Gelu\)"),
    "prelu": (lambda g: g.add("PRelu", dense(g), [0.01, 0.02, 0.03]), r"node 'n1' \(PRelu\)"),
    "two activations": (lambda g: g.add("Sin", g.add("Exp", dense(g))), r"node 'n2' \(Sin\) is a second activation"),
    "activation first": (lambda g: dense(g, g.add("Tanh", "x")), r"node 'n0' \(Tanh\).*before the first"),
    "skip connection": (skip_connection, r"node 'n4' \(Add\) takes 't1', which is not behind the last layer"),
    "no weights": (lambda g: g.add("MatMul", "x", "x"), r"node 'n0' \(MatMul\) multiplies by something"),
    "weights first": (lambda g: g.add("MatMul", W.T, "x"), r"node 'n0' \(MatMul\)"),
    "columns": (lambda g: g.add("Gemm", "x", W, B, transA=1), "transposes its input"),
    "softmax over samples": (lambda g: g.add("Softmax", dense(g), axis=0), r"\(Softmax\) has axis 0"),
    "sizes": (lambda g: dense(g, dense(g), 4), r"node 'n1' \(Gemm\) takes 4 columns, but gets 3"),
    "bias of another size": (lambda g: g.add("Gemm", "x", W, [1.0, 2]), r"node 'n0' \(Gemm\) adds constants"),
    "bias a row": (lambda g: g.add("Gemm", "x", W, B[:, None]), r"node 'n0' \(Gemm\) adds constants"),
    "half": (lambda g: g.add("Cast", dense(g), to=TensorProto.FLOAT16), r"node 'n1' \(Cast\)"),
    "whole numbers": (lambda g: g.add("Cast", dense(g), to=TensorProto.INT64), r"node 'n1' \(Cast\)"),
    "integer weights": (lambda g: g.add("MatMul", "x", g.constant(W, np.int64)), r"\(MatMul\).*dtype int64"),
    "half weights": (lambda g: g.add("MatMul", "x", g.constant(W, np.float16)), "constant 'c0' is of data type 10"),
    "rows torn": (lambda g: g.add("Reshape", dense(g), g.constant([-1, 6], np.int64)), "rows of 6 columns out of 3"),
    "rows torn in front": (
        lambda g: g.add("MatMul", g.add("Reshape", "x", g.constant([-1, 2], np.int64)), W[:2]),
        r"node 'n0' \(Reshape\) makes rows of 2 columns out of 4",
    ),
    "other columns than declared": (lambda g: dense(g, n=3), r"node 'n0' \(Gemm\) takes 3 columns, but gets 4"),
    "a division by 0": (lambda g: dense(g, g.add("Div", "x", [1.0, 0, 1, 1])), r"node 'n0' \(Div\) divides by 0"),
    "infinite constants": (lambda g: dense(g, g.add("Mul", "x", np.inf)), r"node 'n0' \(Mul\).*not finite"),
    "transposed": (lambda g: g.add("Transpose", dense(g)), r"node 'n1' \(Transpose\) is not understood"),
    "training": (
        lambda g: g.add("Dropout", dense(g), g.constant(0.5), g.constant(True, bool)),
        r"\(Dropout\) drops in training mode",
    ),
    "no layer": (lambda g: g.add("Identity", "x"), "no dense layer"),
    "1 / x": (lambda g: g.add("Div", 1.0, dense(g)), r"node 'n1' \(Div\) computes no activation"),
    "many nodes": (lambda g: [z := dense(g)] + [z := g.add("Sin", z) for _ in range(250)], "stands behind 120"),
    "control flow": (lambda g: g.add("Scan", dense(g)), r"node 'n1' \(Scan\) is not understood"),
    "random": (lambda g: g.add("RandomNormal", shape=[3]), r"node 'n0' \(RandomNormal\) is not understood"),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_refused_by_name(row):
    build, words = REFUSED[row]
    g = Builder()
    y = build(g)
    with pytest.raises(ValueError, match=words):
        bpnet.onnx.load(g.bytes(y[-1] if isinstance(y, list) else y))


def test_two_inputs_and_rows_of_rows_are_refused():
    g = Builder()
    with pytest.raises(ValueError, match=r"2 inputs \(x, u\)"):
        bpnet.onnx.load(g.bytes(dense(g), inputs=("x", "u")))
    g = Builder(shape=("m", 7, 4))
    with pytest.raises(ValueError, match="inputs with 3 axes"):
        bpnet.onnx.load(g.bytes(g.add("MatMul", "x", W)))


def test_float64_networks_that_round_on_the_way_are_refused():
    g = Builder("float64")
    z = g.add("Cast", g.add("Cast", dense(g), to=TensorProto.FLOAT), to=TensorProto.DOUBLE)
    with pytest.raises(ValueError, match=r"node 'n1' \(Cast\) rounds to float32"):
        bpnet.onnx.load(g.bytes(dense(g, z, 3)))


# ---- broken files


def changed(change):
    """A small model whose first constant somebody changed."""
    g = Builder()
    model = g.model(g.add("Relu", dense(g)))
    change(model.graph.initializer[0], model)
    return model.SerializeToString()


def external(tensor, **entries):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))


def huge(tensor, model):
    tensor.dims[:] = [2**40, 2**20]


BROKEN = {
    "too large": (huge, "48 bytes, but shape"),
    "negative": (lambda t, m: t.dims.__setitem__(0, -4), "shape"),
    "cut": (lambda t, m: setattr(t, "raw_data", t.raw_data[:-1]), "47 bytes"),
    "nothing": (lambda t, m: t.ClearField("raw_data"), "0 numbers, but shape"),
    "many axes": (lambda t, m: t.dims.extend([1] * 97), "99 axes"),
    "a missing tensor": (lambda t, m: setattr(t, "name", "other"), "nothing gives 'c0'"),
    "one name twice": (lambda t, m: m.graph.node.append(m.graph.node[0]), "two nodes give 't0'"),
}


@pytest.mark.parametrize("row", BROKEN)
def test_broken_models(row):
    change, words = BROKEN[row]
    with pytest.raises(bpnet.ModelFileError, match=words):
        bpnet.onnx.load(changed(change))


@pytest.mark.parametrize("op", ["Identity", "Tanh"])
def test_graphs_that_go_round_in_circles(op):
    g = Builder()
    y = g.add(op, dense(g, g.add(op, "t2"), 3))
    with pytest.raises(ValueError, match="node 'n0'"):
        bpnet.onnx.load(g.bytes(y))
    g.nodes[0].input[0], g.nodes[2].input[0] = "t2", "t0"
    with pytest.raises(ValueError, match="node 'n0'"):
        bpnet.onnx.load(g.bytes(y))


def test_what_is_no_model(tmp_path):
    make("tanh", "identity", "float32").save(tmp_path / "net.safetensors")
    for data in (b"", b"hello", bytes(range(256)), (tmp_path / "net.safetensors").read_bytes()):
        with pytest.raises(bpnet.ModelFileError, match="not an ONNX model"):
            bpnet.onnx.load(data)


def test_one_constant_named_a_thousand_times_takes_no_memory():
    g = Builder(shape=("m", 512))
    weights, z = g.constant(np.eye(512)), "x"
    for _ in range(1000):
        z = g.add("MatMul", z, weights)
    with pytest.raises(bpnet.ModelFileError, match="more memory"):
        bpnet.onnx.load(g.bytes(z))


def test_data_in_a_second_file(tmp_path):
    net = make("tanh", "identity", "float32")
    bpnet.onnx.export(net, tmp_path / "one")
    model = onnx.load(tmp_path / "one")
    onnx.save(model, tmp_path / "two", save_as_external_data=True, location="two.data", size_threshold=0)
    assert bits(bpnet.onnx.load(tmp_path / "two").predict(X)) == bits(net.predict(X))
    with pytest.raises(ValueError, match=r"lies in another file, 'two\.data'; load the model by its path"):
        bpnet.onnx.load((tmp_path / "two").read_bytes())
    os.truncate(tmp_path / "two.data", 100)
    with pytest.raises(bpnet.ModelFileError, match=r"two\.data.*not that many"):
        bpnet.onnx.load(tmp_path / "two")
    (tmp_path / "two.data").unlink()
    with pytest.raises(bpnet.ModelFileError, match="cannot be read"):
        bpnet.onnx.load(tmp_path / "two")


OUTSIDE = [
    {"location": "../secret"},
    {"location": "/etc/passwd"},
    {"location": "link"},
    {"location": ""},
    {"location": "."},
    {"location": "data", "offset": -1},
    {"location": "data", "offset": 10**30},
    {"location": "data", "length": 3},
    {"location": "data\0"},
    {"location": "pipe"},
]


@pytest.mark.parametrize("entries", OUTSIDE, ids=str)
def test_second_files_that_are_none_of_the_models(entries, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(1000))
    (folder / "data").write_bytes(bytes(1000))
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    (folder / "m").write_bytes(changed(lambda tensor, _: external(tensor, **entries)))
    with pytest.raises(bpnet.ModelFileError):
        bpnet.onnx.load(folder / "m")


@pytest.mark.parametrize("name", ["gelu", "softmax"])
def test_damaged_bytes_never_do_worse_than_value_error(name, tmp_path):
    """Some damage leaves a model: other numbers, other names."""
    bpnet.onnx.export(make(name, "tanh", "float64"), tmp_path / "net.onnx")
    data = (tmp_path / "net.onnx").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(400):
        damaged = bytearray(data[: rng.integers(len(data))] if i % 4 == 0 else data)
        for at in rng.integers(0, max(len(damaged), 1), rng.integers(1, 6)):
            if damaged:
                damaged[at] = rng.integers(256)
        try:
            bpnet.onnx.load(bytes(damaged))
        except ValueError:
            refused += 1
    assert refused > 100
