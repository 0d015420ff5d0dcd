"""What the tests of ONNX share: networks to export, graphs built node by node, ONNX Runtime's word on either."""

import numpy as np
import pytest
from nets import random_net
from onnx import TensorProto, helper, numpy_helper

X = np.random.default_rng(0).normal([3, -1, 0, 10], [2, 0.5, 1, 3], (60, 4))
DTYPES = ["float32", "float64"]
# eps: three layers of at most seven products each in another order, and elementwise functions composed of others that
# are right to an eps or so each; measured 0.6 to 4.
ROUNDING = 30
W = np.random.default_rng(5).integers(-16, 17, (4, 3)) / 16
B = np.random.default_rng(6).integers(-16, 17, 3) / 16


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
