"""Networks as bytes and files: the safetensors container, data only.

Metadata (all strings): format "bpnet", format_version, bpnet_version, config (JSON). Tensors, in this order: weights.1
(n_1, n_0), biases.1 (n_1,), ...; where set, input_shift, input_scale (n_0,), output_shift, output_scale (n_L,);
self_test.x (k, n_0) and self_test.y (k, n_L), raw inputs and what `predict` gives for them; checksums (1 + tensors
before it, 4), the bytes of the CRC-32, little-endian, of config and of each of those tensors. A reader takes tensors in
any order and does without the last three.
"""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core, _self_test
from ._atomic import file_path, write_file
from ._container import header_bytes
from ._model_file import FORMAT_VERSION, TYPES, move, read_model, tiles
from ._source import from_memory, open_source

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from ._network import Network


def save(net: Network, path: str | os.PathLike[str] | BinaryIO) -> None:
    """Writes `net` to a file in one piece, or behind what an open one holds."""
    if callable(write := getattr(path, "write", None)):
        _write(net, lambda data: write_all(write, bytes(data)))
    else:
        write_file(file_path(path), lambda file: _write(net, file.write))


def load(path: str | os.PathLike[str] | BinaryIO | Buffer) -> Network:
    """Reads a network that `Network.save` wrote.

    Parameters
    ----------
    path : str, path-like, binary file or bytes-like
        The file by its name; or an open one, read from where it stands to its end; or the bytes themselves.

    Returns
    -------
    Network
        Equal to the saved one to the last bit, normalisation included.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ModelFileError
        Where the file is no bpnet model, is damaged, or was written by a newer bpnet. That takes less memory than 4
        times its size and 1 MiB.

    Examples
    --------
    >>> import bpnet, os, tempfile
    >>> net = bpnet.Network([2, 3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     net.save(os.path.join(folder, "net.safetensors"))
    ...     again = bpnet.load(os.path.join(folder, "net.safetensors"))
    >>> again.config == net.config, bool((again.parameters == net.parameters).all())
    (True, True)
    """
    from ._network import Network

    with open_source(path) as source:
        return read_model(source, Network)


def to_bytes(net: Network) -> bytes:
    """The content of the file that `save` would write."""
    memory = io.BytesIO()
    _write(net, memory.write)
    return memory.getvalue()


def from_bytes(data: Buffer, kind: type[Network] | None = None) -> Network:
    """The network that `to_bytes` gave; `kind` is the subclass to make. Pickles name this function: it stays."""
    from ._network import Network

    return read_model(from_memory("this pickle", data), kind or Network)


def _write(net: Network, write: Callable[[Buffer], object]) -> None:
    """Hands the file's bytes to `write`, piece by piece. The same network gives the same bytes."""
    import json

    config = json.dumps(net.config)
    metadata = {"format": "bpnet", "format_version": str(FORMAT_VERSION)}
    metadata |= {"bpnet_version": _core.__version__, "config": config}
    x = _self_test.inputs(net)
    y = _self_test.outputs(net, x)
    kinds = [(name, TYPES[array.dtype.name], array.shape) for name, array in _tensors(net, x, y)]
    kinds.append(("checksums", "U8", (1 + len(kinds), 4)))
    write(header_bytes(kinds, metadata))
    sums = [zlib.crc32(config.encode())]
    for _, array in _tensors(net, x, y):
        kind, crc = array.dtype.newbyteorder("<"), 0
        for tile in tiles(array):
            move(block := np.empty(tile.shape, kind), tile)
            data = block.data.cast("B")
            crc = zlib.crc32(data, crc)
            write(data)
        sums.append(crc)
    write(np.array(sums, "<u4").tobytes())
    if _self_test.outputs(net, x).tobytes() != y.tobytes():
        raise RuntimeError("the network changed while it was being saved")


def _tensors(net: Network, x: NDArray[Any], y: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name and value of every tensor but the last, in the order of the file."""
    for layer, (W, b) in enumerate(_self_test.layers(net), start=1):
        yield f"weights.{layer}", W
        yield f"biases.{layer}", b
    yield from ((name, value) for name, value in net._native.normalization.items() if value is not None)
    yield "self_test.x", x
    yield "self_test.y", y


def write_all(write: Callable[[bytes], object], data: bytes) -> None:
    """As often as it takes: a raw file may take less than all. OSError where it takes nothing.

    A `write` that gives no number is taken to have written everything, but for a raw file, which says so by None.
    """
    raw = isinstance(getattr(write, "__self__", None), io.RawIOBase)
    while data:
        count = write(data)
        if type(count) is not int and not (count is None and raw):
            return
        if count is None or count <= 0:
            raise OSError(f"the file takes no more: write() gave {count} with {len(data):,} bytes to go")
        data = data[count:]
