"""The header of a safetensors file: written the same way every time, read without trust.

A file is the header's length (8 bytes, little-endian), the header (JSON, padded with spaces to a multiple of 8) and the
tensors' bytes, C order, little-endian, without a gap. A JSON parser let loose on a hostile header takes thirty times
its length; the readers here parse it bit by bit and keep a few numbers a tensor.
"""

from __future__ import annotations

import functools
import math
import re
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from ._errors import ModelFileError

if TYPE_CHECKING:
    import json
    from collections.abc import Iterable, Mapping

HEADER_MOST = 100_000_000  # bytes; what the safetensors package reads
ITEM_SIZES = {"F32": 4, "F64": 8, "U8": 1}  # the types that a model holds
CODES = tuple(ITEM_SIZES)
EXTRAS = ("input_shift", "input_scale", "output_shift", "output_scale", "self_test.x", "self_test.y", "checksums")

_METADATA = {b"format", b"format_version", b"bpnet_version", b"config"}
_SPACE = rb"[ \t\r\n]*"
_EMPTY = re.compile(_SPACE + rb"\}")
_KEY = re.compile(_SPACE + rb'"([^"\\]{1,64})"' + _SPACE + rb":" + _SPACE + rb"\{")
_NEXT = re.compile(_SPACE + rb"([,}])")
_QUOTE = re.compile(_SPACE + rb'"')
_COLON = re.compile(_SPACE + rb":" + _SPACE + rb'"')
_END = re.compile(_SPACE + rb"\Z")
_LAYER = re.compile(rb"(weights|biases)\.([1-9][0-9]{0,8})")
_ENTRY_MOST = 512  # bytes of one tensor's JSON; the longest legal one has about 120


class Tensor(NamedTuple):
    """A row of the header. `slot`: see `slot_name`; `columns` is -1 where there is one axis."""

    slot: int
    code: int
    rows: int
    columns: int
    begin: int
    end: int


class Header(NamedTuple):
    """What a header says: bpnet's own metadata, still as JSON writes them, and the rows of `Tensor` end to end."""

    metadata: dict[bytes, bytes]
    table: array[int]


def slot_name(slot: int) -> str:
    """weights.1, biases.1, weights.2, ... from 0 up; the extras from -1 down."""
    return EXTRAS[-1 - slot] if slot < 0 else f"{('weights', 'biases')[slot % 2]}.{slot // 2 + 1}"


def header_bytes(tensors: Iterable[tuple[str, str, tuple[int, ...]]], metadata: Mapping[str, str]) -> bytes:
    """Length and header of a file with these tensors (name, type, shape), one behind the other."""
    import json

    entries: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name, code, shape in tensors:
        begin, end = end, end + ITEM_SIZES[code] * math.prod(shape)
        entries[name] = {"dtype": code, "shape": shape, "data_offsets": (begin, end)}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_MOST:
        raise ValueError(f"a safetensors header of {len(text):,} bytes is more than the {HEADER_MOST:,} there may be")
    return len(text).to_bytes(8, "little") + text


def read_header(header: bytes) -> Header:
    """The parts of a header. ModelFileError where it is no such JSON, or names what no model has."""
    if not header.startswith(b"{"):
        raise ModelFileError("its header is no JSON object")
    metadata: dict[bytes, bytes] | None = None
    table = array("q")
    at, sign = 1, b","
    while sign == b",":
        key = _KEY.match(header, at)
        if key is None:
            raise ModelFileError(f"its header cannot be read at byte {at}")
        if key[1] != b"__metadata__":
            at = _add_entry(table, header, key)
        elif metadata is None:
            metadata, at = _read_metadata(header, key.end())
        else:
            raise ModelFileError("its header has __metadata__ twice")
        at, sign = _next(header, at)
    if not _END.match(header, at):
        raise ModelFileError(f"its header goes on behind its end at byte {at}")
    return Header(metadata or {}, table)


def read_string(raw: bytes) -> str:
    """What stands between two quotes in JSON."""
    import json

    try:
        value = json.loads(b'"' + raw + b'"')
    except ValueError as error:
        raise ModelFileError("its metadata are no JSON strings") from error
    assert isinstance(value, str)
    return value


def read_config(raw: bytes, n_tensors: int) -> dict[str, Any]:
    """The config, a JSON object in a JSON string, of a file with so many tensors. A longer one can be none of ours."""
    if len(raw) > 4096 + 64 * n_tensors:
        raise ModelFileError(f"its config of {len(raw):,} bytes is too long for {n_tensors} tensors")
    text = read_string(raw)
    if not text.isascii() or text.count("[") + text.count("{") > 8 or text.count(",") > n_tensors + 32:
        raise ModelFileError("its config is none that bpnet writes")
    try:
        config = _decoder().decode(text)
    except ValueError as error:
        raise ModelFileError("its config is missing or no JSON object") from error
    if not isinstance(config, dict):
        raise ModelFileError("its config is missing or no JSON object")
    return config


def _next(header: bytes, at: int) -> tuple[int, bytes]:
    """The comma or brace that comes now, and where it ends."""
    sign = _NEXT.match(header, at)
    if sign is None:
        raise ModelFileError(f"its header cannot be read at byte {at}")
    return sign.end(), sign[1]


def _read_metadata(header: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """bpnet's own among the pairs of strings from `at` on, and where the object ends."""
    found: dict[bytes, bytes] = {}
    if empty := _EMPTY.match(header, at):
        return found, empty.end()
    sign = b","
    while sign == b",":
        name, at = _string(header, at, _QUOTE)
        value, at = _string(header, at, _COLON)
        key = header[name]
        if key in found:
            raise ModelFileError(f"its metadata have {key.decode()} twice")
        if key in _METADATA:
            found[key] = header[value]
        at, sign = _next(header, at)
    return found, at


def _string(header: bytes, at: int, opening: re.Pattern[bytes]) -> tuple[slice, int]:
    """Where the string's content lies that follows `opening`, and where it ends, quote included."""
    start = opening.match(header, at)
    if start is None:
        raise ModelFileError(f"its metadata cannot be read at byte {at}")
    begin = quote = start.end()
    while (quote := header.find(b'"', quote)) >= 0:
        first = quote  # of the backslashes before the quote: an even number of them leaves it a quote
        while first > begin and header[first - 1] == 0x5C:
            first -= 1
        if (quote - first) % 2 == 0:
            return slice(begin, quote), quote + 1
        quote += 1
    raise ModelFileError("its metadata have a string without an end")


def _add_entry(table: array[int], header: bytes, key: re.Match[bytes]) -> int:
    """Puts the tensor whose JSON follows `key` into the table; returns where it ends."""
    end = header.find(b"}", key.end(), key.end() + _ENTRY_MOST) + 1
    if end == 0:
        raise ModelFileError(f"its header cannot be read at byte {key.end()}")
    name = key[1].decode("ascii", "replace")
    try:
        table.extend(_entry(_slot(name, key[1]), header[key.end() - 1 : end]))
    except (TypeError, ValueError, KeyError, RecursionError, OverflowError) as error:
        raise ModelFileError(f"its header has no sense at {name!r}: {error}") from error
    return end


def _slot(name: str, key: bytes) -> int:
    if layer := _LAYER.fullmatch(key):
        return 2 * (int(layer[2]) - 1) + (layer[1] == b"biases")
    if name in EXTRAS:
        return -1 - EXTRAS.index(name)
    raise ValueError("a model has no such tensor")


def _entry(slot: int, text: bytes) -> Tensor:
    """One tensor's row. What else than a row stands there is an error of any kind."""
    entry = _decoder().decode(text.decode("ascii"))
    if entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError("it needs dtype, shape and data_offsets")
    shape, (begin, end) = entry["shape"], entry["data_offsets"]
    if len(shape) not in (1, 2) or any(type(n) is not int or n < 0 for n in (*shape, begin, end)):
        raise ValueError("shape and data_offsets must be one or two, and two, whole numbers")
    code = CODES.index(entry["dtype"])
    if end - begin != ITEM_SIZES[CODES[code]] * math.prod(shape):
        raise ValueError("data_offsets do not fit the shape")
    return Tensor(slot, code, shape[0], shape[1] if len(shape) == 2 else -1, begin, end)


@functools.cache
def _decoder() -> json.JSONDecoder:
    """For JSON whose length is bounded; strict where Python's usual reader is not."""
    import json

    return json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, unless a key comes twice: readers would not agree which one counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
