"""Nodes that compute constants: exporters leave transposed weights, reshaped biases, roots of variances."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import ModelFileError
from ..interop._chain import refuse
from ._elementwise import ELEMENTWISE, evaluate
from ._tensors import DOUBLE, FLOAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ._graph import Node
    from ._tensors import Memory, Tensors


def fold(node: Node, tensors: Tensors, memory: Memory) -> NDArray[Any]:
    """What a node gives whose inputs are all constants. Nothing grows on the way."""
    if node.op == "Constant":
        return _constant(node, tensors)
    inputs = [tensors[name] if name else None for name in node.inputs]
    if not inputs or inputs[0] is None or (node.op not in _SHAPES and node.op not in ELEMENTWISE):
        refuse(node.where, "is not understood")
    try:
        return _folded(node, inputs[0], inputs, memory)
    except ModelFileError:
        raise
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{node.where} cannot be computed: {error}") from error


def cast_target(node: Node) -> int:
    """What a Cast makes: FLOAT or DOUBLE."""
    to = node.attributes.get("to")
    if to not in (FLOAT, DOUBLE):
        refuse(node.where, "casts to something else than FLOAT or DOUBLE")
    return int(to)


def _constant(node: Node, tensors: Tensors) -> NDArray[Any]:
    (name, value), *others = node.attributes.items() or [("", None)]
    if others or name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        refuse(node.where, "has no value that is understood")
    if name == "value":
        return tensors.read(value, node.where)
    return np.array(value, np.float32 if "float" in name else np.int64)


def _folded(node: Node, x: NDArray[Any], inputs: list[NDArray[Any] | None], memory: Memory) -> NDArray[Any]:
    if node.op in _SHAPES:
        return _SHAPES[node.op](node, x, *inputs[1:])
    if node.op == "Cast":
        memory.take(node.where, x.size)
        return x.astype(np.float32 if cast_target(node) == FLOAT else np.float64)
    arrays = [i for i in inputs if i is not None]
    count = math.prod(np.broadcast_shapes(*(i.shape for i in arrays)))
    if count > sum(i.size for i in arrays):
        raise ValueError(f"{count} numbers would come of it")
    memory.take(node.where, count)
    result: NDArray[Any] = evaluate(node.op, node.attributes, inputs).astype(x.dtype)
    return result


def _axes(node: Node, axes: NDArray[Any] | None) -> tuple[int, ...]:
    """An attribute until opset 12, an input since."""
    found = list(node.attributes.get("axes", [])) if axes is None else axes.ravel().tolist()
    if len(found) > 8:
        raise ValueError(f"it has {len(found)} axes")
    return tuple(int(axis) for axis in found)


def _squeeze(node: Node, x: NDArray[Any], axes: NDArray[Any] | None = None) -> NDArray[Any]:
    return np.squeeze(x, _axes(node, axes) or None)


def _unsqueeze(node: Node, x: NDArray[Any], axes: NDArray[Any] | None = None) -> NDArray[Any]:
    return np.expand_dims(x, _axes(node, axes))


def _reshape(node: Node, x: NDArray[Any], shape: NDArray[Any] | None = None) -> NDArray[Any]:
    if shape is None or shape.size > 8:
        raise ValueError("it has no shape that is understood")
    return x.reshape([int(n) for n in shape.ravel()])


def _transpose(node: Node, x: NDArray[Any]) -> NDArray[Any]:
    return np.transpose(x, [int(axis) for axis in node.attributes["perm"]] if "perm" in node.attributes else None)


_SHAPES: dict[str, Callable[..., NDArray[Any]]] = {
    "Identity": lambda node, x: x,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
