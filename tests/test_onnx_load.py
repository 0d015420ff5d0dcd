"""Other people's ONNX models in bpnet: the network that they compute, the same predictions to rounding."""

import io
import os
import warnings

import bpnet
import numpy as np
import pytest
from nets import bits

onnx = pytest.importorskip("onnx")

from onnx_graphs import DTYPES, ROUNDING, B, Builder, W, X, assert_same, make, run  # noqa: E402


def test_load_takes_paths_bytes_and_models(tmp_path):
    net = make("silu", "identity", "float32")
    path = tmp_path / "net.onnx"
    bpnet.onnx.export(net, path)
    want = bits(net.predict(X))
    bpnet.onnx.export(net, file := io.BytesIO())
    assert file.getvalue() == path.read_bytes()
    file.seek(0)
    for source in (path, str(path), os.fsencode(path).decode(), path.read_bytes(), file, onnx.load(path)):
        assert bits(bpnet.onnx.load(source).predict(X)) == want
    for source in (3, None, net):
        with pytest.raises(TypeError, match="source is"):
            bpnet.onnx.load(source)
    with pytest.raises(TypeError, match=r"source.read\(\) gave.*binary mode"):
        bpnet.onnx.load(io.StringIO("text"))
    with pytest.raises(FileNotFoundError):
        bpnet.onnx.load(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        bpnet.onnx.load(tmp_path)


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
