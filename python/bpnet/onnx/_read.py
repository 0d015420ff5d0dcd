"""From the nodes of an ONNX graph to the steps of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._architecture import FLOAT64
from ..interop._chain import Chain, refuse
from ._elementwise import ELEMENTWISE, Answers, evaluate, probe
from ._fold import cast_target, fold
from ._tensors import FLOAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .._network import Network
    from ._graph import Graph, Node
    from ._tensors import Memory, Tensors

_LONGEST = 120  # elementwise nodes between two layers; float64's gelu, composed, has 52
_SYMBOLS = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Div": "divide"}
_HINTS = {
    "LogSoftmax": "; bpnet gives probabilities: export Softmax in its place",
    "Conv": "; bpnet has dense layers only",
    "ai.onnx.ml.Normalizer": "; of scalers, those that shift and scale columns are",
}


class Reader:
    """Walks the nodes in order: `tensor` is where it stands, `pending` the elementwise nodes it has passed since."""

    def __init__(self, graph: Graph, tensors: Tensors, memory: Memory, opset: int) -> None:
        self._graph = graph
        self._tensors = tensors
        self._memory = memory
        self._opset = opset
        self._chain = Chain()
        self._tensor: str | None = graph.input
        self._pending: list[Node] = []
        rest = [] if graph.shape is None else graph.shape[1:]
        self._columns = math.prod(n for n in rest if n) if rest and all(rest) else None  # of a row, flattened
        self._flat = graph.shape is None or len(graph.shape) <= 2
        self._casts: list[tuple[str, int]] = []

    def network(self) -> Network:
        for node in self._graph.nodes:
            if all(name in self._tensors for name in node.inputs if name):
                self._tensors[node.output] = fold(node, self._tensors, self._memory)
            elif node.op in ELEMENTWISE:
                self._pass(node)
            elif node.op in _LAYERS:
                self._arrive(node.inputs[0], node.where)
                _LAYERS[node.op](self, node)
                self._tensor = node.output
            else:
                refuse(node.where, f"is not understood{_HINTS.get(node.op, '')}")
        self._arrive(self._graph.output, "the output")
        for where, to in self._casts:
            if to == FLOAT and self._chain.dtype == FLOAT64:
                refuse(where, "rounds to float32 in the middle of a float64 network")
        return self._chain.network()

    def _is_constant(self, name: str | None) -> bool:
        return name is not None and name in self._tensors

    # ---- elementwise nodes

    def _pass(self, node: Node) -> None:
        if node.op == "Cast":
            self._casts.append((node.where, cast_target(node)))
        if node.op == "Dropout" and len(node.inputs) > 2 and node.inputs[2]:
            training = node.inputs[2]
            if not self._is_constant(training) or self._tensors[training].any():
                refuse(node.where, "drops in training mode; export the model for inference")
        if len(self._pending) == _LONGEST:
            refuse(node.where, f"stands behind {_LONGEST} others without a dense layer, which no activation needs")
        self._pending.append(node)

    def _arrive(self, name: str | None, where: str) -> None:
        """Turns all pending nodes into steps; they must lead from where we stand to the tensor `name`."""
        nodes, self._pending = self._pending, []
        known = {self._tensor}
        for node in nodes:
            for each in node.inputs:
                if each and each not in known and each not in self._tensors:
                    refuse(node.where, f"takes {each!r}, which is not behind the last layer: no chain of layers")
            known.add(node.output)
        if name != (nodes[-1].output if nodes else self._tensor):
            refuse(where, f"takes {name!r}, which is not the output of what stands before it: no chain of layers")
        if not nodes:
            return
        answers = Answers(probe(self._scalars(nodes)))
        joints = _joints(self._tensor, nodes)
        start = 0
        while start < len(nodes):
            start = self._step(nodes, joints, start, answers)
            self._tensor = nodes[start - 1].output

    def _scalars(self, nodes: list[Node]) -> list[float]:
        """All numbers that a kink may lie at."""
        names = {name for node in nodes for name in node.inputs if name and self._is_constant(name)}
        found = [self._tensors[name].item() for name in names if self._tensors[name].size == 1]
        found += [v for node in nodes for v in node.attributes.values() if isinstance(v, (int, float))]
        return [float(v) for v in found if np.isfinite(v)]

    def _step(self, nodes: list[Node], joints: list[bool], start: int, answers: Answers) -> int:
        """One activation, made of as many nodes as it can be, or one affine node; gives where the next begins."""
        end, name = self._longest_activation(nodes, joints, start, answers)
        node = nodes[start]
        if name is not None:
            self._chain.activation(nodes[end - 1].where, name)
            return end
        if joints[start] and node.op in ("Identity", "Cast", "Dropout"):
            return start + 1
        if joints[start] and self._affine(node):
            return start + 1
        rest = len(nodes) - start - 1
        who = f"and the {rest} behind it compute" if rest else "computes"
        refuse(node.where, f"{who} no activation that bpnet has")

    def _longest_activation(
        self, nodes: list[Node], joints: list[bool], start: int, answers: Answers
    ) -> tuple[int, str | None]:
        best: tuple[int, str | None] = start, None
        values: dict[str, NDArray[Any]] = {str(self._tensor): answers.z}
        for i, node in enumerate(nodes[start:], start):
            inputs = [None if name is None else self._scalar_or(values, name) for name in node.inputs]
            if any(value is None and name for value, name in zip(inputs, node.inputs, strict=True)):
                break  # one number a column: no function of z alone
            try:
                values[node.output] = result = evaluate(node.op, node.attributes, inputs)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{node.where} cannot be computed: {error}") from error
            if joints[i] and result.shape == answers.z.shape and (name := answers.identify(result)):
                best = i + 1, name
        return best

    def _scalar_or(self, values: dict[str, NDArray[Any]], name: str) -> NDArray[Any] | None:
        if name in values:
            return values[name]
        constant = self._tensors[name] if self._is_constant(name) else None
        return constant.reshape(()).astype(np.float64) if constant is not None and constant.size == 1 else None

    def _affine(self, node: Node) -> bool:
        """x + c, x - c, c - x, x * c, x / c or -x, c a number or one a column."""
        if node.op == "Neg":
            self._chain.affine(node.where, "multiply", -1)
            return True
        if node.op not in _SYMBOLS or len(node.inputs) != 2:
            return False
        left, right = node.inputs
        if left == self._tensor and self._is_constant(right):
            self._chain.affine(node.where, _SYMBOLS[node.op], self._tensors[str(right)])
        elif right == self._tensor and self._is_constant(left) and node.op != "Div":
            if node.op == "Sub":
                self._chain.affine(node.where, "multiply", -1)
            self._chain.affine(node.where, "multiply" if node.op == "Mul" else "add", self._tensors[str(left)])
        else:
            return False
        return True

    # ---- layers

    def _weights(self, node: Node) -> NDArray[Any]:
        name = node.inputs[1] if len(node.inputs) > 1 else None
        if name is None or not self._is_constant(name):
            refuse(node.where, "multiplies by something that is not constant")
        W = self._tensors[name]
        if W.ndim != 2:
            refuse(node.where, f"has weights of shape {W.shape}, but must have two axes")
        return W

    def _dense(self, node: Node, W: NDArray[Any], b: NDArray[Any] | None) -> None:
        """W (n_out, n_in)."""
        if not self._flat:
            refuse(
                "the model", f"takes inputs with {len(self._graph.shape or [])} axes; flatten them to (m, n_0) first"
            )
        if self._chain.width is None and self._columns not in (None, W.shape[1]):
            refuse(node.where, f"takes {W.shape[1]} columns, but gets {self._columns}")
        self._memory.take(node.where, W.size + len(W), W.itemsize)
        self._chain.dense(node.where, W, b)

    def _matmul(self, node: Node) -> None:
        self._dense(node, self._weights(node).T, None)

    def _gemm(self, node: Node) -> None:
        """alpha x W + beta C, W as transB says."""
        W = self._weights(node)
        if node.number("transA", 0):
            refuse(node.where, "transposes its input, but samples must be rows")
        W = W if node.number("transB", 0) else W.T
        alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
        b = self._gemm_bias(node, len(W))
        with np.errstate(all="ignore"):
            W = W if alpha == 1 else (W * np.float64(alpha)).astype(W.dtype)
            b = b if b is None or beta == 1 else (b * np.float64(beta)).astype(b.dtype)
        self._dense(node, W, b)

    def _gemm_bias(self, node: Node, n: int) -> NDArray[Any] | None:
        name = node.inputs[2] if len(node.inputs) > 2 else None
        if name is None:
            return None
        if not self._is_constant(name):
            refuse(node.where, "adds something that is not constant")
        C = self._tensors[name]
        if C.size not in (1, n) or (C.size == n != 1 and C.shape[-1] != n):
            refuse(node.where, f"adds constants of shape {C.shape}, but must add one for each of {n} outputs")
        self._memory.take(node.where, n)
        return np.broadcast_to(C.reshape(-1), n)

    def _softmax(self, node: Node) -> None:
        axis = node.number("axis", -1 if self._opset >= 13 else 1)
        if axis not in (-1, 1):
            refuse(node.where, f"has axis {axis}, but must have -1")
        self._chain.activation(node.where, "softmax")

    def _flatten(self, node: Node) -> None:
        if node.number("axis", 1) != 1:
            refuse(node.where, f"has axis {node.number('axis', 1)}, but must have 1")
        self._flat = True

    def _reshape(self, node: Node) -> None:
        """Rows as they are: to (-1, n), (0, n) or (0, -1).

        At the end of the graph also to (-1,) or (-1, 1): some drop the axis of a single output, and skl2onnx puts even
        several outputs below one another. The network keeps its rows.
        """
        name = node.inputs[1] if len(node.inputs) > 1 else None
        target = self._tensors[name].ravel()[:3].tolist() if name and self._is_constant(name) else None
        batch = self._graph.shape[0] if self._graph.shape else None
        if target in ([-1], [-1, 1]) and node.output == self._graph.output:
            return
        if target is None or len(target) != 2 or target[0] not in (-1, 0, batch) or target[1] == 0:
            refuse(node.where, f"reshapes to {target or 'something computed'}, but must keep one row a sample")
        n = int(target[1])
        if n > 0:
            width = self._columns if self._chain.width is None else self._chain.width
            if width not in (None, n):
                refuse(node.where, f"makes rows of {n} columns out of {width}")
            self._columns = n
        self._flat = True

    def _batch_norm(self, node: Node) -> None:
        """(x - mean) / sqrt(variance + epsilon) * scale + bias."""
        if len(node.inputs) != 5 or not all(self._is_constant(name) for name in node.inputs[1:]):
            refuse(node.where, "must have four constants behind its input")
        if node.number("training_mode", 0):
            refuse(node.where, "is in training mode; export the model for inference")
        scale, bias, mean, variance = (self._tensors[str(name)] for name in node.inputs[1:])
        with np.errstate(invalid="ignore"):
            deviation = np.sqrt(variance.astype(np.float64) + node.number("epsilon", 1e-5))
        for operation, c in (("subtract", mean), ("divide", deviation), ("multiply", scale), ("add", bias)):
            self._chain.affine(node.where, operation, c)

    def _scaler(self, node: Node) -> None:
        """(x - offset) * scale."""
        self._chain.affine(node.where, "subtract", list(node.attributes.get("offset", [0.0])))
        self._chain.affine(node.where, "multiply", list(node.attributes.get("scale", [1.0])))


_LAYERS: dict[str, Callable[[Reader, Node], None]] = {
    "Gemm": Reader._gemm,
    "MatMul": Reader._matmul,
    "Softmax": Reader._softmax,
    "Flatten": Reader._flatten,
    "Reshape": Reader._reshape,
    "BatchNormalization": Reader._batch_norm,
    "ai.onnx.ml.Scaler": Reader._scaler,
}


def _joints(tensor: str | None, nodes: list[Node]) -> list[bool]:
    """For each node whether all that follows depends on its output alone."""
    last_use = {tensor: -1} | {node.output: -1 for node in nodes}
    for i, node in enumerate(nodes):
        for name in node.inputs:
            if name in last_use:
                last_use[name] = i
    joints, reach = [], last_use[tensor]
    for i, node in enumerate(nodes):
        joints.append(reach <= i)
        reach = max(reach, last_use[node.output])
    return joints
