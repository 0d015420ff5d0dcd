"""A network from bytes that nobody vouches for: everything is checked before anything large is made."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core, _self_test
from ._architecture import check_activations
from ._container import CODES, EXTRAS, HEADER_MOST, Header, Tensor, read_config, read_header, read_string, slot_name
from ._errors import ModelFileError
from ._options import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._network import Network
    from ._source import Source

FORMAT_VERSION = 1
BLOCK = 1 << 20  # bytes of a tensor that are read or written in one go
_COLUMNS = 256
TYPES = {"float32": "F32", "float64": "F64"}
_CONFIG_KEYS = {"sizes", "activation", "output_activation", "init", "dtype", "seed", "bias_init"}
_CONFIG_TYPES = {"sizes": list, "activation": list, "output_activation": str, "dtype": str, "seed": int}
_TOGETHER = (("input_shift", "input_scale"), ("output_shift", "output_scale"), ("self_test.x", "self_test.y"))
_SPARE = 1 << 19  # bytes; with twice the file, what the self-test may take: see docs/reliability.md


def read_model(source: Source, kind: type[Network]) -> Network:
    """The network in `source`, an object of the class `kind`. ModelFileError says what is wrong with it."""
    try:
        return _read(source, kind)
    except (TypeError, ValueError, OverflowError) as error:
        if source.failed:  # a closed file, or one of text: not what it holds is wrong
            raise
        raise ModelFileError(f"{source.name} cannot be loaded: {error}") from error


def _read(source: Source, kind: type[Network]) -> Network:
    length = int.from_bytes(source.take(8), "little")
    if length > HEADER_MOST:
        raise ModelFileError(f"it is no safetensors file: its header would have {length:,} bytes")
    header = read_header(bytes(source.take(length)))
    _check_version(header.metadata)
    if b"config" not in header.metadata:
        raise ModelFileError("its config is missing or no JSON object")
    raw = header.metadata[b"config"]
    config = read_config(raw, len(header.table) // len(Tensor._fields))
    _check_config(config)
    table = _checked_table(header, config)
    source = source.last(int(table[-1, -1]))
    size = 8 + length + int(table[-1, -1])
    del header

    net = kind._bare(config)
    del config
    extras, found = _read_tensors(net, table, source)
    del source  # and the bytes, where it held them
    if "checksums" in extras:
        _check_sums(extras.pop("checksums").view("<u4")[:, 0], zlib.crc32(read_string(raw).encode()), found)
    if any(name in extras for name in EXTRAS[:4]):
        net._native.set_normalization(*(extras.get(name) for name in EXTRAS[:4]))
    if "self_test.x" in extras:
        _self_test.check(net, extras["self_test.x"], extras["self_test.y"], 2 * size + _SPARE)
    return net


def _check_version(metadata: dict[bytes, bytes]) -> None:
    if metadata.get(b"format") != b"bpnet":
        raise ModelFileError("it is a safetensors file, but not a bpnet model")
    version = metadata.get(b"format_version", b"")
    if not (version.isdigit() and len(version) < 10 and int(version) >= 1):
        raise ModelFileError(f"its format_version is {shown(version)[1:]}")
    if int(version) > FORMAT_VERSION:
        release = metadata.get(b"bpnet_version", b"?")
        raise ModelFileError(
            f"it was written by bpnet {shown(release)[2:-1]} with format_version {int(version)}, but bpnet "
            f"{_core.__version__} reads up to {FORMAT_VERSION}: upgrade bpnet to load it"
        )


def _check_config(config: dict[str, Any]) -> None:
    """Plain data of the kinds that `Network.config` holds, and names that are known. The network checks the rest."""
    if set(config) != _CONFIG_KEYS:
        raise ModelFileError(f"its config has {shown(sorted(config))}")
    for name, kind in _CONFIG_TYPES.items():
        if type(config[name]) is not kind:
            raise ModelFileError(f"{name} of its config is {shown(config[name])}")
    if len(config["sizes"]) < 2 or not all(type(n) is int and 1 <= n < 2**63 for n in config["sizes"]):
        raise ModelFileError(f"sizes of its config is {shown(config['sizes'])}")
    for name in (*config["activation"], config["output_activation"], config["init"], config["bias_init"]):
        if isinstance(name, str) and len(name) > 64:  # looking for the nearest known one would take memory
            raise ModelFileError(f"its config names {shown(name)}")
    check_activations(config["activation"], config["output_activation"], len(config["sizes"]) - 1)
    if config["dtype"] not in TYPES:
        raise ModelFileError(f"dtype of its config is {shown(config['dtype'])}")
    if not 0 <= config["seed"] < 2**64:
        raise ModelFileError(f"seed of its config is {shown(config['seed'])}")


def _checked_table(header: Header, config: dict[str, Any]) -> NDArray[np.int64]:
    """The rows of the header in the order of their bytes, if they are what the config asks for, without a gap."""
    table = np.frombuffer(header.table, np.int64).reshape(-1, len(Tensor._fields)) if header.table else np.empty((0, 6))
    table = table[np.argsort(table[:, 4], kind="stable")].astype(np.int64, copy=False)
    slots = np.sort(table[:, 0])
    twice = slots[1:][slots[1:] == slots[:-1]]
    if len(twice):
        raise ModelFileError(f"{slot_name(int(twice[0]))} comes twice")
    sizes, code = config["sizes"], CODES.index(TYPES[config["dtype"]])
    names = {slot_name(int(slot)) for slot in slots[slots < 0]}
    for pair in _TOGETHER:
        if len(names.intersection(pair)) == 1:
            raise ModelFileError(f"{pair[0]} and {pair[1]} must come together")
    for row in table:
        tensor = Tensor(*row.tolist())
        expected = _expected(tensor, sizes, code, len(table))
        if expected != tensor[1:4]:
            raise ModelFileError(
                f"{slot_name(tensor.slot)} is {_kind(*tensor[1:4])}, but the config says {_kind(*expected)}"
            )
    layers = slots[slots >= 0]
    if len(layers) < 2 * (len(sizes) - 1):  # none of them is unknown, none comes twice
        gap = np.flatnonzero(layers != np.arange(len(layers)))
        raise ModelFileError(f"{slot_name(int(gap[0]) if len(gap) else len(layers))} is missing")
    if table[0, 4] != 0 or (table[1:, 4] != table[:-1, 5]).any():
        raise ModelFileError("its tensors overlap, or leave gaps")
    return table


def _expected(tensor: Tensor, sizes: list[int], code: int, n_tensors: int) -> tuple[int, int, int]:
    """Type and shape, as `Tensor` has them, that such a tensor must have."""
    name = slot_name(tensor.slot)
    if tensor.slot >= 2 * (len(sizes) - 1):
        raise ModelFileError(f"the config knows no {name}")
    if name == "checksums":
        return CODES.index("U8"), n_tensors, 4
    if name in ("self_test.x", "self_test.y"):
        n = sizes[0] if name.endswith("x") else sizes[-1]
        return code, min(max(tensor.rows, 1), _self_test.ROWS_MOST), n
    if tensor.slot < 0:
        return code, sizes[0] if name.startswith("input") else sizes[-1], -1
    n_in, n_out = sizes[tensor.slot // 2 : tensor.slot // 2 + 2]
    return code, n_out, -1 if tensor.slot % 2 else n_in


def _kind(code: int, rows: int, columns: int) -> str:
    return f"{CODES[code]} ({rows},)" if columns < 0 else f"{CODES[code]} ({rows}, {columns})"


def _read_tensors(
    net: Network, table: NDArray[np.int64], source: Source
) -> tuple[dict[str, NDArray[Any]], NDArray[np.uint32]]:
    """Fills the parameters; returns the other tensors, and the CRC-32 of all, those that are not there left out."""
    n_layers, extras = net.depth, {}
    sizes = np.array(net.sizes, np.int64)
    begins = np.concatenate([[0], np.cumsum(sizes[1:] * (sizes[:-1] + 1))])
    sums = np.zeros(2 * n_layers + len(EXTRAS), np.uint32)
    present = np.ones(len(sums), bool)
    present[2 * n_layers :] = False
    for row in table:
        tensor = Tensor(*row.tolist())
        name, at = slot_name(tensor.slot), tensor.slot
        if tensor.slot >= 0:
            to = _parameters(net, tensor, int(begins[tensor.slot // 2]))
        else:
            at = 2 * n_layers - 1 - tensor.slot
            shape = (tensor.rows,) if tensor.columns < 0 else (tensor.rows, tensor.columns)
            extras[name] = to = np.empty(shape, np.uint8 if CODES[tensor.code] == "U8" else net.dtype)
        sums[at] = _fill(to, source)
        present[at] = name != "checksums"
    return extras, sums[present]


def _parameters(net: Network, tensor: Tensor, begin: int) -> NDArray[Any]:
    """Where the weights or biases of this layer, whose parameters start at `begin`, lie in the network."""
    theta = net._native.parameters
    if tensor.columns >= 0:
        return theta[begin : begin + tensor.rows * tensor.columns].reshape(tensor.columns, tensor.rows).T
    end = begin + (net.sizes[tensor.slot // 2] + 1) * tensor.rows
    return theta[end - tensor.rows : end]


def tiles(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Views that cover the array in C order, none of more than about BLOCK bytes."""
    array = array.reshape(1, -1) if array.ndim == 1 else array
    rows, columns = array.shape
    row = columns * array.itemsize
    step = max(1, BLOCK // row)
    width = columns if row <= BLOCK else BLOCK // array.itemsize
    for i in range(0, rows, step):
        for j in range(0, columns, width):
            yield array[i : i + step, j : j + width]


def _fill(to: NDArray[Any], source: Source) -> int:
    """Reads the array's bytes into it; returns their CRC-32."""
    kind, crc = to.dtype.newbyteorder("<"), 0
    for tile in tiles(to):
        data = source.take(tile.nbytes)
        crc = zlib.crc32(data, crc)
        move(tile, np.frombuffer(data, kind).reshape(tile.shape))
    return crc


def move(to: NDArray[Any], values: NDArray[Any]) -> None:
    """to[...] = values for a tile in C order and one in F order, a few columns at a time: those stay in the cache."""
    for j in range(0, to.shape[1], _COLUMNS):
        to[:, j : j + _COLUMNS] = values[:, j : j + _COLUMNS]


def _check_sums(expected: NDArray[np.uint32], config: int, found: NDArray[np.uint32]) -> None:
    """ModelFileError where a byte changed since it was written."""
    if expected[0] != config:
        raise ModelFileError("its config is damaged: the checksum differs")
    wrong = int(np.count_nonzero(expected[1:] != found))
    if wrong:
        first = int(np.flatnonzero(expected[1:] != found)[0])
        raise ModelFileError(f"tensor {first + 1} of {len(found)} is damaged: the checksum differs")
