"""A network as an ONNX file."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from .. import _core
from .._architecture import FLOAT32
from .._atomic import file_path, write_file
from .._network import Network
from .._options import wrong_type
from .._serialization import write_all
from ..interop._require import require
from ._activations import add_activation
from ._nodes import Nodes

INSTALL = "'bpnet[onnx]'"
_OPSET, _IR_VERSION = 13, 7  # ONNX 1.8 (2020): the first in which Softmax has an axis of its own
_LIMIT = 2**31 - 2**20  # what a protobuf message may hold, names and nodes set aside


def export(net: Network, path: str | os.PathLike[str] | BinaryIO) -> None:
    """Writes `net` as an ONNX model.

    The graph has one input "x" (m, n_0) and one output "y" (m, n_L), m left open, in the network's dtype: one Gemm and
    the nodes of one activation a layer, opset 13. A normalised network takes raw x and gives raw y: Sub and Div in
    front, Mul and Add behind. The metadata say which bpnet wrote it (`bpnet_version`) and what the network was
    (`config`).

    Parameters
    ----------
    net : Network
        With any activations, in float32 or float64. Where ONNX Runtime lacks an operator in float64, it is composed of
        others.
    path : str, path-like or binary file
        The file; one that exists is replaced. It appears in one piece. An open one is written to where it stands.

    Raises
    ------
    ValueError
        Where the network is larger than 2 GiB, which an ONNX file cannot hold.
    OSError
        Where the file cannot be written.
    ImportError
        Where the package onnx is missing.

    Examples
    --------
    >>> import bpnet, os, tempfile
    >>> net = bpnet.Network([3, 8, 1], activation="tanh", output_activation="identity", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bpnet.onnx.export(net, os.path.join(folder, "net.onnx"))
    """
    require("onnx", INSTALL)
    if not isinstance(net, Network):
        wrong_type("net", net, "a bpnet.Network")
    size = net.n_parameters * net.dtype.itemsize
    if size > _LIMIT:
        raise ValueError(
            f"net has {size / 2**30:.1f} GiB of parameters, but an ONNX file holds at most 2 GiB; "
            "net.save has no such limit"
        )
    data = to_model(net.copy()).SerializeToString()  # a copy, which nobody trains meanwhile
    if callable(write := getattr(path, "write", None)):
        return write_all(write, data)

    def fill(file: BinaryIO) -> None:
        file.write(data)

    write_file(file_path(path), fill)


def to_model(net: Network) -> Any:
    """The onnx.ModelProto that `export` writes."""
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT if net.dtype == FLOAT32 else TensorProto.DOUBLE
    ends = [
        helper.make_tensor_value_info(name, kind, ["m", n]) for name, n in (("x", net.sizes[0]), ("y", net.sizes[-1]))
    ]
    nodes = Nodes(net.dtype)
    _add_network(nodes, net)
    graph = helper.make_graph(nodes.nodes, "bpnet", ends[:1], ends[1:], nodes.constants)
    opset = helper.make_opsetid("", _OPSET)
    model = helper.make_model(
        graph,
        opset_imports=[opset],
        ir_version=_IR_VERSION,
        producer_name="bpnet",
        producer_version=_core.__version__,
    )
    helper.set_model_props(model, _metadata(net))
    return model


def _metadata(net: Network) -> dict[str, str]:
    import json

    return {"bpnet_version": _core.__version__, "config": json.dumps(net.config)}


def _add_network(nodes: Nodes, net: Network) -> None:
    a = "x"
    if net.input_shift is not None:
        nodes.prefix = "input/"
        a = nodes("Sub", a, nodes.constant(net.input_shift, "shift"))
        a = nodes("Div", a, nodes.constant(net.input_scale, "scale"))
    for layer, (W, b, name) in enumerate(zip(net.weights, net.biases, net.activations, strict=True), start=1):
        nodes.prefix = f"layer{layer}/"
        # W^l lies column by column, so its transpose is C-contiguous and z = a (W^l)^T + b^l needs no turning
        z = nodes("Gemm", a, nodes.constant(W.T, "W"), nodes.constant(b, "b"))
        a = z if name == "identity" else add_activation(nodes, name, z)
    if net.output_shift is not None:
        nodes.prefix = "output/"
        a = nodes("Mul", a, nodes.constant(net.output_scale, "scale"))
        a = nodes("Add", a, nodes.constant(net.output_shift, "shift"))
    nodes.nodes[-1].output[0] = "y"
