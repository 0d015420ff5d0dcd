"""An ONNX graph: its one input, the output that is meant, the nodes between, each in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ModelFileError
from .._options import shown, wrong_type
from ._tensors import DOUBLE, FLOAT, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._tensors import Tensors

_DOMAINS = {"": "", "ai.onnx": "", "ai.onnx.ml": "ai.onnx.ml."}
# By AttributeProto.AttributeType: where the value lies.
_FIELDS = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints"}


class Node:
    """One node: `op` with its domain in front where that is not ONNX's own, inputs (None where empty), attributes."""

    def __init__(self, proto: Any) -> None:
        domain = text(proto.domain)
        self.op = _DOMAINS.get(domain, f"{domain}.") + text(proto.op_type)
        self.inputs: list[str | None] = [text(name) or None for name in proto.input]
        self.outputs = [text(name) for name in proto.output if name]
        self.where = f"node {shown(text(proto.name) or ', '.join(self.outputs))} ({self.op})"
        self.attributes: dict[str, Any] = {
            text(attribute.name): getattr(attribute, _FIELDS[attribute.type])
            for attribute in proto.attribute
            if attribute.type in _FIELDS
        }

    @property
    def output(self) -> str:
        """The first one: the others are statistics and masks that a prediction has no use for."""
        return self.outputs[0] if self.outputs else ""

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number."""
        value = self.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise ValueError(f"{self.where} has {name} {shown(value)}, but must have a number")
        return value


class Graph:
    """What matters of an ONNX graph: `input`, `output` and the `nodes` that the output depends on, in order."""

    def __init__(self, graph: Any, tensors: Tensors, output: str | None) -> None:
        self._tensors = tensors
        self._producers: dict[str, tuple[int, Node]] = {}
        for i, proto in enumerate(graph.node):
            node = Node(proto)
            for name in node.outputs:
                if name in self._producers:
                    raise ModelFileError(f"the ONNX model is damaged: two nodes give {shown(name)}")
                self._producers[name] = i, node
        self.input, self.shape = self._find_input(graph)
        self.output = self._behind_labels(_choose_output(graph, output))
        self.nodes = self._ancestors()

    def producer(self, name: str | None) -> Node | None:
        """The node that gives this tensor."""
        return self._producers[name][1] if name in self._producers else None

    def _find_input(self, graph: Any) -> tuple[str, list[int | None] | None]:
        """Name and shape: None for an axis without a length, None for no shape at all."""
        inputs = {text(value.name): value for value in graph.input}
        names = [name for name in inputs if name not in self._tensors]
        if len(names) != 1:
            raise ValueError(
                f"the ONNX model has {len(names)} inputs ({', '.join(_some(names))}), but a network has one"
            )
        tensor = inputs[names[0]].type.tensor_type
        if not tensor.HasField("shape"):
            return names[0], None
        return names[0], [d.dim_value or None for d in tensor.shape.dim]

    def _behind_labels(self, name: str) -> str:
        """The tensor of probabilities that skl2onnx puts into dictionaries and, for two classes, beside 1 - p."""
        node = self.producer(name)
        for _ in range(4):  # of them in a row; a damaged graph may go round in circles
            if node and node.op in ("ai.onnx.ml.ZipMap", "Identity") and node.inputs and node.inputs[0]:
                name = node.inputs[0]
                node = self.producer(name)
        if node and node.op == "Concat" and len(node.inputs) == 2 and node.attributes.get("axis") in (1, -1):
            rest, p = self.producer(node.inputs[0]), node.inputs[1]
            if p and rest and rest.op == "Sub" and len(rest.inputs) == 2 and rest.inputs[1] == p:
                one = rest.inputs[0]
                if one and one in self._tensors and self._tensors[one].size == 1 and self._tensors[one].item() == 1:
                    return p
        return name

    def _ancestors(self) -> list[Node]:
        found: dict[int, Node] = {}
        wanted: list[str | None] = [self.output]
        while wanted:
            name = wanted.pop()
            if name is None or name == self.input or name in self._tensors:
                continue
            if name not in self._producers:
                raise ModelFileError(f"the ONNX model is damaged: nothing gives {shown(name)}")
            i, node = self._producers[name]
            if i not in found:
                found[i] = node
                wanted += node.inputs
        return [found[i] for i in sorted(found)]


def _choose_output(graph: Any, output: str | None) -> str:
    names = [text(value.name) for value in graph.output]
    if output is not None:
        if not isinstance(output, str):
            wrong_type("output", output, "a name")
        if output not in names:
            raise ValueError(f"output is {output!r}, but the ONNX model has {', '.join(names)}")
        return output
    numbers = [text(value.name) for value in graph.output if _holds_numbers(value.type)]
    if len(numbers) != 1:
        names_ = ", ".join(_some(names))
        raise ValueError(f"the ONNX model has the outputs {names_}; say which one is meant by output=")
    return numbers[0]


def _some(names: list[str]) -> Iterable[str]:
    return names if len(names) <= 5 else [*names[:5], "..."]


def _holds_numbers(kind: Any) -> bool:
    """Whether it is float32, float64, or a list of dictionaries (of probabilities); labels are not."""
    if kind.HasField("tensor_type"):
        return kind.tensor_type.elem_type in (FLOAT, DOUBLE)
    return bool(kind.HasField("sequence_type"))
