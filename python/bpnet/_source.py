"""Where a model's bytes come from: a file by its path, an open file, or memory; read from front to back."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any, TypeAlias

from ._errors import ModelFileError
from ._options import wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

_CHUNK = 1 << 18  # bytes to ask for at a time where nobody knows how many there are
_EXPECTED = "a path, a binary file or bytes"


class Source:
    """Bytes, taken in order.

    `left` is how many there still are, or None where only reading can tell; `failed`, that the reading itself raised.
    """

    Bytes: TypeAlias = "bytes | memoryview"

    def __init__(self, name: str, read: Callable[[int], object], left: int | None) -> None:
        self.name = name
        self.left = left
        self.failed = False
        self._read = read

    def take(self, count: int) -> Bytes:
        """Exactly so many bytes. ModelFileError where there are fewer; what is taken meanwhile, there was."""
        if self.left is not None:
            if count > self.left:
                raise ModelFileError("it is cut short")
            self.left -= count
        most = count if self.left is not None else _CHUNK
        data = self._part(min(count, most)) if count else b""
        if len(data) < count:
            grown = bytearray(data)
            while len(grown) < count:
                grown += self._part(min(count - len(grown), most))
            return memoryview(grown)
        return data

    def _part(self, most: int) -> Bytes:
        self.failed = True
        part = self._read(most)
        if not isinstance(part, (bytes, memoryview)):
            if not isinstance(part, bytearray):
                wrong_type("what path.read() gave", part, "bytes: open the file in binary mode")
            part = bytes(part)
        self.failed = False
        if not part:
            raise ModelFileError("it is cut short")
        if len(part) > most:
            raise ModelFileError(f"read({most}) gave {len(part)} bytes")
        return part

    def last(self, count: int) -> Source:
        """This source with the last `count` bytes there may be, in memory where nobody knew whether they come."""
        if self.left is None:
            data = self.take(count)
            self.failed = True
            more = self._read(1)
            self.failed = False
            if more:
                raise ModelFileError("it goes on behind its end")
            return from_memory(self.name, data)
        if self.left != count:
            raise ModelFileError(f"its header is of {count:,} bytes of tensors, but there are {self.left:,}")
        return self


def from_memory(name: str, data: Buffer) -> Source:
    """The bytes of `data`, which is not copied where they lie side by side and in a format that Python knows."""
    view = memoryview(data)
    try:
        view = view.cast("B")
    except TypeError:
        view = memoryview(view.tobytes())
    at = 0

    def read(count: int) -> memoryview:
        nonlocal at
        at += count
        return view[at - count : at]

    return Source(name, read, len(view))


def _holds_bytes(path: Any) -> bool:
    try:
        memoryview(path).release()
    except TypeError:
        return False
    return True


@contextlib.contextmanager
def open_source(path: Any) -> Iterator[Source]:
    """The source that `bpnet.load` was given. Files that were open stay open."""
    if callable(getattr(path, "read", None)):
        yield Source(str(getattr(path, "name", "this file")), path.read, None)
    elif _holds_bytes(path):
        yield from_memory("this model", path)
    else:
        try:
            name = os.fsdecode(path)
        except TypeError:
            wrong_type("path", path, _EXPECTED)
        with open(name, "rb") as file:
            status = os.fstat(file.fileno())
            yield Source(name, file.read, status.st_size if stat.S_ISREG(status.st_mode) else None)
