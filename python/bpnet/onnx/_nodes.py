"""The nodes of an ONNX graph in the making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


class Nodes:
    """Nodes and constants of one dtype, in order: `nodes("Add", x, y)` adds one and gives its output's name."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.prefix = ""  # of the names given from here on
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._names: dict[str, int] = {}

    def __call__(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        name = self._unique(op)
        output = output or name
        self.nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def constant(self, value: ArrayLike | None, name: str = "constant") -> str:
        """An initializer in the dtype of the graph."""
        from onnx import TensorProto, helper

        array = np.asarray(value, dtype=self.dtype.newbyteorder("<"))
        kind = TensorProto.FLOAT if self.dtype.itemsize == 4 else TensorProto.DOUBLE
        name = self._unique(name)
        self.constants.append(helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True))
        return name

    def _unique(self, name: str) -> str:
        name = f"{self.prefix}{name}"
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"
