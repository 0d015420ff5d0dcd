"""An ONNX file as a network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

from .._errors import ModelFileError
from .._options import wrong_type
from ..interop._require import require
from ._export import INSTALL
from ._graph import Graph
from ._read import Reader
from ._tensors import Memory, Tensors

if TYPE_CHECKING:
    from .._network import Network


def load(source: str | os.PathLike[str] | BinaryIO | bytes | Any, *, output: str | None = None) -> Network:
    """Reads a dense network from an ONNX model: one that `export` wrote, or PyTorch, skl2onnx or anybody else.

    Parameters
    ----------
    source : str, path-like, binary file, bytes or onnx.ModelProto
        The file, its content, or the model. Data that lie in a second file are read where `source` is a path.
    output : str, optional
        Which output of the model is meant, where more than one holds floating-point numbers.

    Returns
    -------
    Network
        float32 or float64 as the weights are. Its `seed` is 0.

        Where the model is a classifier of skl2onnx, the network gives the probabilities, and for two classes one
        column, the probability of the second class.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ModelFileError
        Where it is no ONNX model or a damaged one.
    ValueError
        Where the model is something else than a chain of dense layers with bpnet's activations; the message names the
        node and its operator.
    ImportError
        Where the package onnx is missing.

    Notes
    -----
    Dense layers are Gemm, or MatMul and Add, with constant weights. An activation is whatever nodes compute one: they
    are evaluated and compared with bpnet's own, to 2e-6, since every exporter composes gelu or mish in its own way.
    Products with and sums of constants, BatchNormalization and Scaler become input or output normalisation at the ends
    and are folded into weights and biases elsewhere. Flatten and Reshape say that x is to be passed as (m, n_0);
    Identity, Dropout and Cast do nothing.

    Examples
    --------
    >>> import bpnet, os, tempfile
    >>> net = bpnet.Network([3, 8, 1], activation="tanh", output_activation="identity", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bpnet.onnx.export(net, os.path.join(folder, "net.onnx"))
    ...     bpnet.onnx.load(os.path.join(folder, "net.onnx"))
    bpnet.Network([3, 8, 1], activation='tanh', output_activation='identity', dtype='float32')
    """
    require("onnx", INSTALL)
    model, size, folder = _model(source)
    if not model.graph.node or not model.graph.output:
        raise ModelFileError("this is not an ONNX model: it holds no graph")
    memory = Memory(size)
    tensors = Tensors(model.graph, folder, memory)
    graph = Graph(model.graph, tensors, output)
    opset = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    return Reader(graph, tensors, memory, opset).network()


def _model(source: Any) -> tuple[Any, int, str | None]:
    """The model, how large its file is, and the folder of the file."""
    from onnx import ModelProto

    if isinstance(source, ModelProto):
        return source, source.ByteSize(), None
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, folder, name = bytes(source), None, "these bytes are"
    elif callable(getattr(source, "read", None)):
        data, folder, name = source.read(), None, "this file is"
        if not isinstance(data, bytes):
            wrong_type("what source.read() gave", data, "bytes: open the file in binary mode")
    else:
        try:
            path = os.fsdecode(source)
        except TypeError:
            wrong_type("source", source, "a path, a binary file, bytes or an onnx.ModelProto")
        with open(path, "rb") as file:
            data = file.read()
        folder, name = os.path.dirname(os.path.abspath(path)), f"{path} is"
    return _parsed(data, name), len(data), folder


def _parsed(data: bytes, name: str) -> Any:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelFileError(f"{name} not an ONNX model: {error}") from error
    return model
