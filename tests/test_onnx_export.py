"""Networks as ONNX models: the same predictions in ONNX Runtime, to rounding, and the same network read back."""

import os

import bpnet
import numpy as np
import oracle
import pytest
from nets import bits

onnx = pytest.importorskip("onnx")

from onnx_graphs import DTYPES, X, assert_same, make, run  # noqa: E402


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
