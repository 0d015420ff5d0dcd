"""Networks as bytes and files: the safetensors container, data only.

Metadata (all strings): format "bpnet", format_version, bpnet_version, config (JSON). Tensors: weights.1 (n_1, n_0),
biases.1 (n_1,), ...; where set, input_shift, input_scale (n_0,), output_shift, output_scale (n_L,). `safetensors` and
`json` are imported at first use.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._architecture import check_dtype, check_sizes
from ._errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from ._network import Network

FORMAT_VERSION = 1
_NORMALIZATION = ("input_shift", "input_scale", "output_shift", "output_scale")
_CONFIG_KEYS = {"sizes", "activation", "output_activation", "init", "dtype", "seed", "bias_init"}
_DTYPES = {"float32": "F32", "float64": "F64"}


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Writes `net` to `path` in one piece: readers meet the old file or the new one, also after a crash."""
    target = os.path.realpath(os.fsdecode(path))  # through a link, to the file it names
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):  # a folder (open says so), a device or a pipe: nothing to replace
        with open(target, "wb") as file:
            file.write(to_bytes(net))
        return
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".bpnet-{os.urandom(8).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:  # learns what mode a new file gets, and whether it may be made
            mode = os.fstat(file.fileno()).st_mode if mode is None else mode
    except OSError as error:
        error.filename = target
        raise
    try:
        _write(net, temporary)
        os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _write(net: Network, path: str) -> None:
    """Writes the file and waits until the disk has it."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(_tensors(net), path, _metadata(net))
    except SafetensorError as error:
        raise OSError(f"{path} cannot be written: {error}") from error
    with open(path, "rb+") as file:  # safetensors may have put a new file in the place of the one we made
        os.fsync(file.fileno())


def load(path: str | os.PathLike[str]) -> Network:
    """Reads a network that `Network.save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    Network
        Equal to the saved one to the last bit, normalisation included.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ModelFileError
        Where the file is no bpnet model, is damaged, or was written by a newer bpnet.

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
    from safetensors import SafetensorError, safe_open

    name = os.fsdecode(path)
    with open(name, "rb"):  # missing, forbidden, a folder: the usual exceptions
        pass
    try:
        with safe_open(name, framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}
            kinds = {key: (part.get_dtype(), tuple(part.get_shape())) for key, part in slices.items()}
            return _build(name, file.metadata(), kinds, file.get_tensor)
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{name} is not a bpnet model file: {error}") from error


def to_bytes(net: Network) -> bytes:
    """The content of the file that `save` would write."""
    from safetensors.numpy import save as save_bytes

    return save_bytes(_tensors(net), _metadata(net))


def from_bytes(data: bytes, kind: type[Network] | None = None) -> Network:
    """The network that `to_bytes` gave; `kind` is the subclass to make. Pickles name this function: it stays."""
    from safetensors import SafetensorError, deserialize

    try:
        parts = dict(deserialize(data))  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ModelFileError(f"these bytes are not a bpnet model: {error}") from error
    header = _json_object(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.get("__metadata__")
    kinds = {key: (part["dtype"], tuple(part["shape"])) for key, part in parts.items()}

    def read(key: str) -> NDArray[Any]:
        dtype = np.dtype("<f4" if kinds[key][0] == "F32" else "<f8")
        return np.frombuffer(parts[key]["data"], dtype).reshape(kinds[key][1])

    return _build("this pickle", metadata, kinds, read, kind)


def _metadata(net: Network) -> dict[str, str]:
    import json

    return {
        "format": "bpnet",
        "format_version": str(FORMAT_VERSION),
        "bpnet_version": _core.__version__,
        "config": json.dumps(net.config),
    }


def _tensors(net: Network) -> dict[str, NDArray[Any]]:
    tensors = {}
    for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), start=1):
        tensors[f"weights.{layer}"] = np.ascontiguousarray(W)
        tensors[f"biases.{layer}"] = b
    return tensors | {name: value for name, value in net._native.normalization.items() if value is not None}


def _build(
    name: str,
    metadata: Mapping[str, str] | None,
    kinds: Mapping[str, tuple[str, tuple[int, ...]]],
    read: Callable[[str], NDArray[Any]],
    kind: type[Network] | None = None,
) -> Network:
    """A network from its metadata and its tensors, every one of them checked before it is read."""
    from ._network import Network

    config = _checked_config(name, metadata)
    try:
        expected = _expected_tensors(config)
        _check_tensors(expected, kinds)
        net = (kind or Network)._bare(config)
        for layer, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), start=1):
            W[...] = read(f"weights.{layer}")
            b[...] = read(f"biases.{layer}")
        if any(key in kinds for key in _NORMALIZATION):
            net._native.set_normalization(*(read(key) if key in kinds else None for key in _NORMALIZATION))
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"{name} holds a damaged bpnet model: {error}") from error
    return net


def _checked_config(name: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    if not metadata or metadata.get("format") != "bpnet":
        raise ModelFileError(f"{name} is a safetensors file, but not a bpnet model")
    version = metadata.get("format_version", "")
    if not (version.isascii() and version.isdecimal() and len(version) < 10 and int(version) >= 1):
        raise ModelFileError(f"{name} holds a damaged bpnet model: format_version is {version!r}")
    if int(version) > FORMAT_VERSION:
        raise ModelFileError(
            f"{name} was written by bpnet {metadata.get('bpnet_version', '?')} with format_version {version}, "
            f"but bpnet {_core.__version__} reads up to {FORMAT_VERSION}: upgrade bpnet to load it"
        )
    try:
        config = _json_object(metadata.get("config", ""))
    except ModelFileError as error:
        raise ModelFileError(f"{name} holds a damaged bpnet model: config is missing or no JSON object") from error
    if set(config) != _CONFIG_KEYS:
        raise ModelFileError(f"{name} holds a damaged bpnet model: config says {', '.join(sorted(config))}")
    return config


def _json_object(text: str | bytes) -> dict[str, Any]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError("not JSON") from error
    if not isinstance(value, dict):
        raise ModelFileError("not a JSON object")
    return value


def _expected_tensors(config: Mapping[str, Any]) -> dict[str, tuple[str, tuple[int, ...]]]:
    sizes = check_sizes(config["sizes"])
    code = _DTYPES[check_dtype(config["dtype"]).name]
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for layer in range(1, len(sizes)):
        expected[f"weights.{layer}"] = (code, (sizes[layer], sizes[layer - 1]))
        expected[f"biases.{layer}"] = (code, (sizes[layer],))
    for key in _NORMALIZATION:
        expected[key] = (code, (sizes[0] if key.startswith("input") else sizes[-1],))
    return expected


def _check_tensors(
    expected: Mapping[str, tuple[str, tuple[int, ...]]], kinds: Mapping[str, tuple[str, tuple[int, ...]]]
) -> None:
    for key, kind in kinds.items():
        if key not in expected:
            raise ValueError(f"the config knows no tensor {key}")
        if kind != expected[key]:
            raise ValueError(f"{key} is {kind[0]} {kind[1]}, but the config says {expected[key][0]} {expected[key][1]}")
    for key in expected:
        if key not in kinds and key not in _NORMALIZATION:
            raise ValueError(f"{key} is missing")
    for side in ("input", "output"):
        if (f"{side}_shift" in kinds) != (f"{side}_scale" in kinds):
            raise ValueError(f"{side}_shift and {side}_scale must come together")


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _sync_folder(folder: str) -> None:
    if os.name != "posix":  # only there can a folder be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems refuse; the file itself is safe
        pass
    finally:
        os.close(descriptor)
