"""The constants of an ONNX graph as arrays. Sizes are checked before memory is taken."""

from __future__ import annotations

import math
import os
import stat
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .._errors import ModelFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# By TensorProto.DataType: name, how it lies in raw_data, the field where it may lie instead.
_KINDS = {
    1: ("FLOAT", "<f4", "float_data"),
    11: ("DOUBLE", "<f8", "double_data"),
    6: ("INT32", "<i4", "int32_data"),
    7: ("INT64", "<i8", "int64_data"),
    9: ("BOOL", "?", "int32_data"),
}
FLOAT, DOUBLE = 1, 11
_EXTERNAL = 1


def text(value: str | bytes) -> str:
    """A string of a model; protobuf hands those that are no UTF-8 over as bytes."""
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")


class Memory:
    """How many bytes a network from this file may take.

    A few times what the file holds: a graph that names one large constant a thousand times is refused.
    """

    def __init__(self, file_size: int) -> None:
        self._left = 4 * file_size + 2**20

    def add_file(self, size: int) -> None:
        """Room for another file that the model consists of."""
        self._left += 4 * size

    def take(self, where: str, count: int, itemsize: int = 8) -> None:
        self._left -= count * itemsize
        if self._left < 0:
            raise ModelFileError(f"{where} asks for more memory than a file of this size can mean")


class Tensors:
    """Arrays by name: initializers, read when asked for, and what is found out on the way."""

    def __init__(self, graph: Any, folder: str | None, memory: Memory) -> None:
        self._unread = {text(tensor.name): tensor for tensor in graph.initializer}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._folder = folder
        self._memory = memory
        self._files: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._arrays or name in self._unread

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            self._arrays[name] = self.read(self._unread[name], f"constant {name!r}")
        return self._arrays[name]

    def __setitem__(self, name: str, array: NDArray[Any]) -> None:
        self._arrays[name] = array

    def read(self, tensor: Any, where: str) -> NDArray[Any]:
        """A TensorProto as an array, read-only and without a copy where it can be."""
        if tensor.data_type not in _KINDS:
            raise ValueError(f"{where} is of data type {tensor.data_type}, but must be FLOAT, DOUBLE or an integer")
        _, code, field = _KINDS[tensor.data_type]
        shape = tuple(tensor.dims)
        if any(n < 0 for n in shape):
            _broken(where, f"has shape {shape}")
        count, dtype = math.prod(shape), np.dtype(code)
        if tensor.data_location == _EXTERNAL:
            flat = self._external(tensor, where, count, dtype)
        elif tensor.HasField("raw_data"):
            if len(tensor.raw_data) != count * dtype.itemsize:
                _broken(where, f"has {len(tensor.raw_data)} bytes, but shape {shape}")
            flat = np.frombuffer(tensor.raw_data, dtype)
        else:
            values = getattr(tensor, field)
            if len(values) != count:
                _broken(where, f"has {len(values)} numbers, but shape {shape}")
            flat = np.array(values, dtype)
        try:
            return flat.reshape(shape)
        except ValueError:  # more axes than an array has, or sizes past 2^63 beside a 0
            _broken(where, f"has {len(shape)} axes that make no array")

    def _external(self, tensor: Any, where: str, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Data in a file beside the model; it must lie in the same folder and hold them."""
        entries = {text(entry.key): text(entry.value) for entry in tensor.external_data}
        location = entries.get("location", "")
        if self._folder is None:
            raise ValueError(f"{where} lies in another file, {location!r}; load the model by its path")
        folder = os.path.realpath(self._folder)
        path = os.path.realpath(os.path.join(folder, location)) if "\0" not in location else ""
        if not location or not path or os.path.commonpath([folder, path]) != folder:
            _broken(where, f"lies in {location!r}, which is outside of the model's folder")
        offset, length = (_number(where, entries, key) for key in ("offset", "length"))
        nbytes = count * dtype.itemsize
        try:
            status = os.stat(path)
        except OSError as error:
            raise ModelFileError(f"{where} lies in {location!r}, which cannot be read: {error}") from error
        if not stat.S_ISREG(status.st_mode) or offset + nbytes > status.st_size or length not in (0, nbytes):
            _broken(where, f"takes {nbytes} bytes from {offset} of {location!r}, which has not that many")
        if path not in self._files:
            self._files.add(path)
            self._memory.add_file(status.st_size)
        return np.memmap(path, dtype, "r", offset, count) if count else np.zeros(0, dtype)


def _number(where: str, entries: dict[str, str], key: str) -> int:
    text = entries.get(key, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        _broken(where, f"has {key} {text!r}")
    return int(text)


def _broken(where: str, what: str) -> NoReturn:
    raise ModelFileError(f"the ONNX model is damaged: {where} {what}")
