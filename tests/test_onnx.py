"""Networks as ONNX models: ours in ONNX Runtime, other people's in bpnet, the same predictions to rounding."""

import os
import warnings

import bpnet
import numpy as np
import oracle
import pytest
from nets import bits, random_net

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

X = np.random.default_rng(0).normal([3, -1, 0, 10], [2, 0.5, 1, 3], (60, 4))
DTYPES = ["float32", "float64"]
# eps: three layers of at most seven products each in another order, and elementwise functions composed of others that
# are right to an eps or so each; measured 0.6 to 4.
ROUNDING = 30


def make(hidden, output, dtype, *, normalize=True):
    net = random_net([4, 7, 5, 3], hidden, output, dtype)
    if normalize:
        rng = np.random.default_rng(1)
        net.normalize(X, rng.normal([5, -2, 0], [1, 3, 9], (40, 3)))
    if hidden == "exponential":
        net.parameters[:] *= 0.3  # e^(e^z) would overflow
    return net


def run(source, x):
    """What ONNX Runtime makes of it."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(source, providers=["CPUExecutionProvider"])
    (name,) = (each.name for each in session.get_inputs())
    return session.run(None, {name: x})


def assert_same(ours, theirs):
    assert ours.dtype == theirs.dtype
    atol = ROUNDING * np.finfo(ours.dtype).eps * max(1, np.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


# ---- our own files


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", [False, True], ids=["plain", "normalised"])
@pytest.mark.parametrize("name", oracle.ALL_ACTIVATIONS)
def test_export(name, normalize, dtype, tmp_path):
    net = make(name, "identity" if name == "exponential" else name, dtype, normalize=normalize)
    path = tmp_path / "net.onnx"
    assert bpnet.onnx.export(net, path) is None
    onnx.checker.check_model(str(path), full_check=True)
    again = bpnet.onnx.load(path)
    assert again.activations == net.activations
    assert again.sizes == net.sizes
    assert bits(again.predict(X)) == bits(net.predict(X))
    for rows in (X, X[:1], X[:0]):  # m is open
        x = rows.astype(dtype)
        (y,) = run(str(path), x)
        assert y.shape == (len(x), 3)
        if len(x):
            assert_same(net.predict(x), y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", oracle.ALL_ACTIVATIONS)
def test_exported_activations_far_and_near(name, dtype, tmp_path):
    """One unit that computes f(z) from very small to large z: saturated, without overflow or cancelled digits."""
    net = bpnet.Network([1, 1], output_activation=name, dtype=dtype, init=bpnet.Constant(value=1.0), seed=0)
    bpnet.onnx.export(net, tmp_path / "net.onnx")
    size = np.concatenate([[0], np.geomspace(1e-6, 60 if name != "exponential" else 8, 200)])
    z = np.concatenate([-size, size]).astype(dtype)[:, np.newaxis]
    (y,) = run(str(tmp_path / "net.onnx"), z)
    a = net.predict(z)
    # what is composed is right in its terms of order 1, and ONNX Runtime's sigmoid, which z is multiplied by, likewise
    bound = 8 * np.finfo(dtype).eps * np.maximum(np.maximum(1, np.abs(z)), np.abs(a))
    assert (np.abs(y - a) <= bound).all()


def test_what_the_file_says(tmp_path):
    net = make("tanh", "softmax", "float32")
    bpnet.onnx.export(net, tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 13)]
    assert model.ir_version == 7
    assert (model.producer_name, model.producer_version) == ("bpnet", bpnet.__version__)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    import json

    assert metadata["bpnet_version"] == bpnet.__version__
    assert bpnet.Network(**json.loads(metadata["config"])).config == net.config
    (x,), (y,) = model.graph.input, model.graph.output
    assert (x.name, y.name) == ("x", "y")
    assert [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] == ["m", 4]
    assert [d.dim_param or d.dim_value for d in y.type.tensor_type.shape.dim] == ["m", 3]
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert [node.op_type for node in model.graph.node] == [
        "Sub", "Div", "Gemm", "Tanh", "Gemm", "Tanh", "Gemm", "Softmax", "Mul", "Add",
    ]  # fmt: skip


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in "ab":
        bpnet.onnx.export(make("gelu", "identity", "float64"), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_load_takes_paths_bytes_and_models(tmp_path):
    net = make("silu", "identity", "float32")
    path = tmp_path / "net.onnx"
    bpnet.onnx.export(net, path)
    want = bits(net.predict(X))
    for source in (path, str(path), os.fsencode(path).decode(), path.read_bytes(), onnx.load(path)):
        assert bits(bpnet.onnx.load(source).predict(X)) == want
    for source in (3, None, net):
        with pytest.raises(TypeError, match="source is"):
            bpnet.onnx.load(source)
    with pytest.raises(FileNotFoundError):
        bpnet.onnx.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        bpnet.onnx.load(tmp_path)


def test_export_replaces_files_in_one_piece(tmp_path, monkeypatch):
    net = make("silu", "identity", "float32")
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    path.chmod(0o640)

    def fail(*_):
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no space"):
            bpnet.onnx.export(net, path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["net.onnx"]
    bpnet.onnx.export(net, path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["net.onnx"]
    with pytest.raises(FileNotFoundError, match="net.onnx"):
        bpnet.onnx.export(net, tmp_path / "none" / "net.onnx")
    with pytest.raises(IsADirectoryError):
        bpnet.onnx.export(net, tmp_path)


def test_networks_that_no_file_can_hold_are_refused(tmp_path, monkeypatch):
    from bpnet.onnx import _export

    net = make("silu", "identity", "float32")
    monkeypatch.setattr(_export, "_LIMIT", net.parameters.nbytes)
    bpnet.onnx.export(net, tmp_path / "fits")
    monkeypatch.setattr(_export, "_LIMIT", net.parameters.nbytes - 1)
    with pytest.raises(ValueError, match="GiB of parameters"):
        bpnet.onnx.export(net, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()


def test_export_takes_networks():
    with pytest.raises(TypeError, match="net is 3"):
        bpnet.onnx.export(3, "never")


# ---- files of PyTorch


def torch_model(dtype):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    activations = [nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.LeakyReLU(), nn.ELU(), nn.SELU(), nn.Softplus(threshold=40)]
    activations += [nn.Softsign(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.Hardsigmoid(), nn.Hardtanh(), nn.Softmax(dim=-1)]
    torch.manual_seed(0)
    parts = [nn.Flatten()]
    for activation in activations:
        parts += [nn.Linear(4, 4), activation, nn.Dropout(0.3)]
    model = nn.Sequential(*parts, nn.Linear(4, 3, bias=False)).to(getattr(torch, dtype)).eval()
    return torch, model


def check_torch(path, torch, model, dtype):
    net = bpnet.onnx.load(path)
    assert net.dtype == dtype
    assert net.activations == bpnet.from_torch(model).activations
    x = np.random.default_rng(0).normal(scale=3, size=(40, 2, 2)).astype(dtype)
    assert_same(net.predict(x.reshape(40, 4)), model(torch.from_numpy(x)).detach().numpy())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("opset", [9, 11, 13, 17, 20])
def test_files_of_torch_by_tracing(opset, dtype, tmp_path):
    torch, model = torch_model(dtype)
    x = torch.zeros(2, 2, 2, dtype=getattr(torch, dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch: deprecations of its own, and opsets it would rather not write
        torch.onnx.export(
            model, (x,), tmp_path / "t", dynamo=False, opset_version=opset, input_names=["x"], dynamic_axes={"x": [0]}
        )
    check_torch(tmp_path / "t", torch, model, dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("opset", [18, 23])
def test_files_of_torch_by_torch_export(opset, dtype, tmp_path):
    pytest.importorskip("onnxscript")
    torch, model = torch_model(dtype)
    x = torch.zeros(2, 2, 2, dtype=getattr(torch, dtype))
    shapes = ({0: torch.export.Dim("m")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, as above
        torch.onnx.export(
            model, (x,), tmp_path / "t", dynamo=True, opset_version=opset, dynamic_shapes=shapes, verbose=False
        )
    check_torch(tmp_path / "t", torch, model, dtype)


def test_files_of_to_torch(tmp_path):
    """bpnet to torch to ONNX to bpnet: normalisation and the modules of our own survive."""
    torch = pytest.importorskip("torch")
    net = make(["gaussian", "sine"], "tanh", "float64")
    model = bpnet.to_torch(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.zeros(2, 4, dtype=torch.float64),), tmp_path / "t", dynamo=False)
    again = bpnet.onnx.load(tmp_path / "t")
    assert again.activations == net.activations
    assert bits(again.input_shift) == bits(net.input_shift)
    assert bits(again.output_scale) == bits(net.output_scale)
    assert bits(again.predict(X)) == bits(net.predict(X))


# ---- files of skl2onnx


def sklearn_models():
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    labels, y = np.arange(60) % 3, np.stack([X[:, 0], X[:, 1] * X[:, 2]], axis=1)
    options = {"hidden_layer_sizes": (6, 5), "max_iter": 3, "random_state": 0}
    several = np.stack([labels == 0, labels > 0, labels == 2], axis=1)
    return {
        "three classes": MLPClassifier(**options).fit(X, labels),
        "two classes": MLPClassifier(activation="logistic", **options).fit(X, np.array(["a", "b"])[labels % 2]),
        "labels": MLPClassifier(activation="tanh", **options).fit(X, several),
        "one number": MLPRegressor(activation="tanh", **options).fit(X, y[:, 0]),
        "two numbers": MLPRegressor(activation="identity", **options).fit(X, y),
        "standardised": make_pipeline(StandardScaler(), MLPRegressor(**options)).fit(X, y),
        "scaled to [0, 1]": make_pipeline(MinMaxScaler(), MLPClassifier(**options)).fit(X, labels),
    }


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations:UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("zipmap", [True, False], ids=["dictionaries", "arrays"])
def test_files_of_skl2onnx(zipmap, dtype):
    pytest.importorskip("sklearn")
    skl2onnx = pytest.importorskip("skl2onnx")
    x = X.astype(dtype)
    for name, model in sklearn_models().items():
        classifies = hasattr(model, "classes_")
        file = skl2onnx.to_onnx(model, x[:1], options={"zipmap": zipmap} if classifies else None)
        net = bpnet.onnx.load(file.SerializeToString())
        assert net.dtype == dtype, name
        assert net.activations == bpnet.from_sklearn(model).activations, name
        expected = model.predict_proba(X) if classifies else model.predict(X).reshape(60, -1)
        if name == "two classes":
            expected = expected[:, 1:]
        # the weights are rounded to dtype, and so are scaler attributes, which are float32 in any case
        eps = np.finfo("float32" if name == "standardised" else dtype).eps
        atol = ROUNDING * eps * max(1, np.abs(expected).max())
        np.testing.assert_allclose(net.predict(x), expected, rtol=0, atol=atol, err_msg=name)


# ---- graphs by hand


class Builder:
    """A graph in the making: `add(op, inputs, ...)` gives the output's name."""

    def __init__(self, dtype="float32", shape=("m", 4), opset=13):
        self.dtype, self.shape, self.opset = np.dtype(dtype), shape, opset
        self.nodes, self.constants = [], []

    def constant(self, value, dtype=None):
        array = np.asarray(value, dtype or self.dtype)
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def add(self, op, *inputs, domain="", **attributes):
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        output = f"t{len(self.nodes)}"
        node = helper.make_node(op, names, [output], name=f"n{len(self.nodes)}", domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def model(self, output, inputs=("x",), outputs=None):
        kind = TensorProto.FLOAT if self.dtype == np.float32 else TensorProto.DOUBLE
        ends = [helper.make_tensor_value_info(name, kind, self.shape) for name in inputs]
        out = [helper.make_tensor_value_info(name, kind, None) for name in outputs or [output]]
        graph = helper.make_graph(self.nodes, "g", ends, out, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("ai.onnx.ml", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=7)

    def bytes(self, output, **options):
        return self.model(output, **options).SerializeToString()


W = np.random.default_rng(5).integers(-16, 17, (4, 3)) / 16
B = np.random.default_rng(6).integers(-16, 17, 3) / 16


def loaded(g, y, x=X):
    """The network, once ONNX Runtime agrees with it."""
    data = g.bytes(y)
    net = bpnet.onnx.load(data)
    rows = x.astype(g.dtype)
    (expected,) = run(data, rows)
    assert_same(net.predict(rows.reshape(len(rows), -1)), expected.reshape(len(rows), -1))
    return net


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("beta", [1.0, -2.0])
@pytest.mark.parametrize("turned", [0, 1])
@pytest.mark.parametrize("bias", [None, B, B[None], 0.75, [[0.25]]], ids=repr)
def test_gemm(alpha, beta, turned, bias):
    g = Builder()
    inputs = ["x", W.T if turned else W] + ([] if bias is None else [bias])
    net = loaded(g, g.add("Gemm", *inputs, alpha=alpha, beta=beta, transB=turned))
    assert (net.weights[0] == alpha * W.T).all()
    assert (net.biases[0] == (0 if bias is None else beta * np.ravel(bias))).all()


def test_products_sums_and_transposed_constants():
    g = Builder()
    weights = g.add("Transpose", W.T, perm=[1, 0])
    bias = g.add("Squeeze", B[None], g.constant([0], np.int64))
    h = g.add("Relu", g.add("Add", bias, g.add("MatMul", "x", weights)))
    net = loaded(g, g.add("Identity", g.add("MatMul", h, g.add("Identity", W[:3].T))))
    assert net.activations == ("relu", "identity")
    assert net.output_shift is None


def spelt(g, z, name):
    """Each function as some exporter writes it."""
    add = g.add
    if name == "gelu by halves":
        return add("Mul", add("Mul", z, 0.5), add("Add", add("Erf", add("Div", z, np.sqrt(2))), 1.0))
    if name == "gelu, halved last":
        return add("Mul", add("Mul", z, add("Add", add("Erf", add("Div", z, np.sqrt(2))), 1.0)), 0.5)
    if name == "hard_sigmoid of relu6":
        return add("Div", add("Clip", add("Add", z, 3.0), 0.0, 6.0), 6.0)
    if name == "mish":
        return add("Mul", z, add("Tanh", add("Log", add("Add", add("Exp", z), 1.0))))
    if name == "sigmoid":
        return add("Reciprocal", add("Add", add("Exp", add("Neg", z)), 1.0))
    if name == "tanh":
        return add("Sub", add("Mul", add("Sigmoid", add("Mul", z, 2.0)), 2.0), 1.0)
    if name == "relu by Max":
        return add("Max", z, 0.0)
    if name == "relu by Where":
        return add("Where", add("Less", z, 0.0), 0.0, z)
    if name == "leaky_relu by PRelu":
        return add("PRelu", z, 0.01)
    if name == "leaky_relu by Max":
        return add("Max", add("Mul", z, 0.01), z)
    if name == "softplus with a threshold":
        return add("Where", add("Greater", z, 20.0), z, add("Softplus", z))
    if name == "gaussian by Pow":
        return add("Exp", add("Neg", add("Pow", z, 2.0)))
    if name == "hard_tanh by Min and Max":
        return add("Max", add("Min", z, 1.0), -1.0)
    if name == "relu with a bound for none":
        return add("Clip", z, 0.0, float(np.finfo(np.float32).max))
    raise AssertionError(name)


SPELT = {
    "gelu by halves": "gelu",
    "gelu, halved last": "gelu",
    "hard_sigmoid of relu6": "hard_sigmoid",
    "mish": "mish",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu by Max": "relu",
    "relu by Where": "relu",
    "leaky_relu by PRelu": "leaky_relu",
    "leaky_relu by Max": "leaky_relu",
    "softplus with a threshold": "softplus",
    "gaussian by Pow": "gaussian",
    "hard_tanh by Min and Max": "hard_tanh",
    "relu with a bound for none": "relu",
}


@pytest.mark.parametrize("name", SPELT)
def test_activations_are_known_by_what_they_compute(name):
    g = Builder()
    a = spelt(g, g.add("Gemm", "x", W, B), name)
    net = loaded(g, spelt(g, g.add("Gemm", a, W[:3], B), name))
    assert net.activations == (SPELT[name],) * 2


def test_scaling_at_the_ends_and_between():
    g = Builder("float64")
    a = g.add("Div", g.add("Sub", "x", X.mean(axis=0)), X.std(axis=0))
    a = g.add("Tanh", g.add("Mul", g.add("Gemm", a, W, B), [2.0, -1, 0.5]))
    a = g.add("Sub", 1.0, a)
    y = g.add("Add", g.add("Mul", g.add("Sigmoid", g.add("Gemm", a, W[:3], B)), [10.0, 2, 3]), 5.0)
    net = loaded(g, y)
    assert net.activations == ("tanh", "sigmoid")
    assert (net.input_shift == X.mean(axis=0)).all()
    assert (net.input_scale == X.std(axis=0)).all()
    assert net.output_scale.tolist() == [10, 2, 3]


def test_batch_normalisation_and_scalers():
    g = Builder()
    a = g.add("Scaler", "x", domain="ai.onnx.ml", offset=[1.0, 2, 3, 4], scale=[0.5, 0.25, 2, 1])
    z = g.add("Gemm", a, W, B)
    z = g.add("BatchNormalization", z, [1.0, -2, 3], [0.5, 0, 1], [1.0, 2, 0], [4.0, 1, 9], epsilon=1e-3)
    net = loaded(g, g.add("Relu", z))
    assert net.input_shift.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("target", [[-1, 4], [0, 4], [0, -1]], ids=str)
def test_rows_of_rows_are_flattened(target):
    g = Builder(shape=("m", 2, 2))
    flat = g.add("Reshape", "x", g.constant(target, np.int64))
    net = loaded(g, g.add("Gemm", flat, W, B), X.reshape(-1, 2, 2))
    assert net.sizes == (4, 3)


def test_one_of_several_outputs():
    g = Builder()
    h = g.add("Tanh", g.add("Gemm", "x", W, B))
    y = g.add("Relu", g.add("Gemm", h, W[:3], B))
    model = g.bytes(y, outputs=[h, y])
    with pytest.raises(ValueError, match=f"outputs {h}, {y}; say which"):
        bpnet.onnx.load(model)
    assert bpnet.onnx.load(model, output=h).activations == ("tanh",)
    assert bpnet.onnx.load(model, output=y).activations == ("tanh", "relu")
    with pytest.raises(ValueError, match=f"output is 'z', but the ONNX model has {h}, {y}"):
        bpnet.onnx.load(model, output="z")
    with pytest.raises(TypeError, match="output is 3"):
        bpnet.onnx.load(model, output=3)


# ---- what is refused


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
