"""ONNX Runtime: one Gemm and one activation a layer, optimised by the runtime as it sees fit."""

import numpy as np
import onnxruntime
from onnx import helper, numpy_helper

from ..cases import Case, Problem

NAME = "ONNX Runtime"
NO_SWITCH = True
ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh"}


def model(case: Case, problem: Problem) -> bytes:
    nodes, tensors, last = [], [], "x"
    for l, (W, b) in enumerate(zip(problem.weights, problem.biases, strict=True), start=1):
        tensors += [numpy_helper.from_array(W, f"W{l}"), numpy_helper.from_array(b, f"b{l}")]
        nodes.append(helper.make_node("Gemm", [last, f"W{l}", f"b{l}"], [f"z{l}"], transB=1))
        nodes.append(helper.make_node(ACTIVATIONS[case.activation], [f"z{l}"], [f"a{l}"]))
        last = f"a{l}"
    kind = helper.np_dtype_to_tensor_dtype(problem.x.dtype)
    ends = [
        helper.make_tensor_value_info(name, kind, [None, n])
        for name, n in (("x", case.sizes[0]), (last, case.sizes[-1]))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


class Prediction:
    def __init__(self, case: Case, problem: Problem) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model(case, problem), options, providers=["CPUExecutionProvider"])
        self.x = problem.x[: case.batch]

    def run(self, calls: int) -> None:
        run, feed = self.session.run, {"x": self.x}
        for _ in range(calls):
            (self.last,) = run(None, feed)

    def outputs(self) -> np.ndarray:
        return self.last
