"""Networks as files, pickles and copies: equal to the last bit, and honest complaints about everything else."""

import array
import copy
import ctypes
import io
import json
import os
import pickle
import subprocess
import sys
import zlib

import bpnet
import numpy as np
import oracle
import pytest
from bpnet import _model_file
from bpnet._serialization import to_bytes
from nets import bits, random_net

X = np.random.default_rng(0).normal(size=(20, 3))


def through_a_file(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    return bpnet.load(tmp_path / "net.safetensors")


def through_a_file_object(net, tmp_path):
    with open(tmp_path / "net", "wb") as file:
        net.save(file)
    with open(tmp_path / "net", "rb") as file:
        return bpnet.load(file)


def through_a_raw_file(net, tmp_path):
    with open(tmp_path / "net", "wb", buffering=0) as file:
        net.save(file)
    with open(tmp_path / "net", "rb", buffering=0) as file:
        return bpnet.load(file)


def through_memory(net, tmp_path):
    file = io.BytesIO()
    net.save(file)
    assert file.getvalue() == to_bytes(net)
    file.seek(0)
    return bpnet.load(file)


def in_the_middle(net, tmp_path):
    """From where the file stands, to its end."""
    file = io.BytesIO(b"something else" + to_bytes(net))
    file.read(14)
    return bpnet.load(file)


class Trickle:
    """Reads, a few bytes a time, and nothing else."""

    def __init__(self, data):
        self.data = data

    def read(self, count):
        part, self.data = self.data[: min(count, 1000)], self.data[min(count, 1000) :]
        return bytearray(part)


def doubled(data):
    return bytes(byte for byte in data for _ in range(2))


WAYS = {
    "save and load": through_a_file,
    "str path": lambda net, tmp_path: (net.save(str(tmp_path / "n")), bpnet.load(str(tmp_path / "n")))[1],
    "pickle": lambda net, _: pickle.loads(pickle.dumps(net)),
    "pickle 2": lambda net, _: pickle.loads(pickle.dumps(net, protocol=2)),
    "copy": lambda net, _: copy.copy(net),
    "deepcopy": lambda net, _: copy.deepcopy(net),
    ".copy()": lambda net, _: net.copy(),
    "bytes": lambda net, _: bpnet.load(to_bytes(net)),
    "bytearray": lambda net, _: bpnet.load(bytearray(to_bytes(net))),
    "memoryview": lambda net, _: bpnet.load(memoryview(b"--" + to_bytes(net))[2:]),
    "strided memoryview": lambda net, _: bpnet.load(memoryview(doubled(to_bytes(net)))[::2]),
    "file object": through_a_file_object,
    "raw file": through_a_raw_file,
    "memory": through_memory,
    "in the middle of a file": in_the_middle,
    "a reader of its own": lambda net, _: bpnet.load(Trickle(to_bytes(net))),
}


def networks():
    for dtype in ("float32", "float64"):
        yield random_net([3, 4, 2], "tanh", "softmax", dtype)
        yield random_net([3, 2], dtype=dtype)
        net = bpnet.Network(
            [3, 5, 4, 2], ["gelu", "sine"], "tanh", init=bpnet.Normal(std=0.3), dtype=dtype, seed=2**64 - 1
        )
        net.normalize(x=3 * X + 1)
        net.parameters[:4] = [np.nan, np.inf, -0.0, np.finfo(dtype).smallest_subnormal]
        yield net


@pytest.mark.parametrize("way", WAYS)
def test_round_trips(way, tmp_path):
    for net in networks():
        before = bits(net.parameters)
        twin = WAYS[way](net, tmp_path)
        assert type(twin) is bpnet.Network
        assert twin.config == net.config
        assert repr(twin) == repr(net)
        assert twin.seed == net.seed
        assert bits(twin.parameters) == before
        assert bits(twin.predict(X)) == bits(net.predict(X))
        for name in ("input_shift", "input_scale", "output_shift", "output_scale"):
            ours, theirs = getattr(net, name), getattr(twin, name)
            assert (ours is None) == (theirs is None)
            assert ours is None or bits(ours) == bits(theirs)
        assert not np.shares_memory(twin.parameters, net.parameters)
        twin.parameters[:] = 0
        assert bits(net.parameters) == before


@pytest.mark.parametrize("activation", oracle.ALL_ACTIVATIONS)
def test_every_activation_survives(activation, tmp_path):
    net = bpnet.Network([3, 4, 2], activation, activation, seed=0)
    assert through_a_file(net, tmp_path).activations == (activation, activation)


def test_a_twin_trains_alike(tmp_path):
    net = random_net([3, 4, 2])
    twin = through_a_file(net, tmp_path)
    for each in (net, twin):
        each.fit(X, X[:, :2], epochs=2)
    assert bits(net.parameters) == bits(twin.parameters)


def test_the_file_is_what_the_documentation_says(tmp_path):
    from safetensors import safe_open

    net = random_net([3, 4, 2], dtype="float32")
    net.normalize(X, X[:, :2])
    net.save(tmp_path / "net")
    with safe_open(tmp_path / "net", framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    assert metadata["format"] == "bpnet"
    assert int(metadata["format_version"]) == 1
    assert metadata["bpnet_version"] == bpnet.__version__
    assert json.loads(metadata["config"]) == net.config
    shapes = {"weights.1": (4, 3), "biases.1": (4,), "weights.2": (2, 4), "biases.2": (2,)}
    shapes |= {"input_shift": (3,), "input_scale": (3,), "output_shift": (2,), "output_scale": (2,)}
    shapes |= {"self_test.x": (3, 3), "self_test.y": (3, 2), "checksums": (11, 4)}
    assert {name: t.shape for name, t in tensors.items()} == shapes
    assert (tensors["weights.1"] == net.weights[0]).all()
    assert (tensors["biases.2"] == net.biases[1]).all()
    assert bits(net.predict(tensors["self_test.x"])) == bits(tensors["self_test.y"])
    sums = [zlib.crc32(metadata["config"].encode())]
    sums += [zlib.crc32(tensors[name].tobytes()) for name in [*shapes][:-1]]
    assert tensors["checksums"].view("<u4").ravel().tolist() == sums


def test_the_same_network_gives_the_same_bytes(tmp_path):
    """In every process, whatever its hashes are."""
    script = "import sys, bpnet; bpnet.load(sys.argv[1]).save(sys.argv[2])"
    for i, net in enumerate(networks()):
        net.save(tmp_path / "first")
        data = (tmp_path / "first").read_bytes()
        assert to_bytes(net) == to_bytes(net.copy()) == data
        if i == 2:
            for seed in "017":
                command = [sys.executable, "-c", script, tmp_path / "first", tmp_path / "second"]
                subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": seed}, check=True)
                assert (tmp_path / "second").read_bytes() == data


def test_what_the_safetensors_package_writes_is_read(tmp_path):
    """It sorts tensors its own way, and metadata as it likes."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    for net in networks():
        net.save(tmp_path / "net")
        with safe_open(tmp_path / "net", framework="numpy") as file:
            metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
        save_file(tensors, tmp_path / "again", metadata | {"author": "José \U0001f600"})
        assert (tmp_path / "again").read_bytes() != (tmp_path / "net").read_bytes()
        again = bpnet.load(tmp_path / "again")
        assert bits(again.parameters) == bits(net.parameters)
        assert again.config == net.config


@pytest.mark.parametrize("block", [8, 100, 1000])
def test_large_arrays_go_in_pieces(block, tmp_path, monkeypatch):
    """Rows wider than a piece, several rows a piece, and what is left over at the end."""
    monkeypatch.setattr(_model_file, "BLOCK", block)
    for net in [*networks(), *(bpnet.Network([71, 2, 30], dtype=dtype, seed=0) for dtype in ("float32", "float64"))]:
        assert bits(through_a_file(net, tmp_path).parameters) == bits(net.parameters)
        assert bits(bpnet.load(io.BytesIO(to_bytes(net))).parameters) == bits(net.parameters)
        pieces = [tile.nbytes for W in net.weights for tile in _model_file.tiles(W)]
        assert sum(pieces) == sum(W.nbytes for W in net.weights) and max(pieces) <= block


def test_what_is_no_file():
    for wrong in (None, 7, 1.5, ["net"], bpnet.Network([1, 1])):
        with pytest.raises(TypeError, match="path is .* must be a path, a binary file or bytes"):
            bpnet.load(wrong)
    with pytest.raises(TypeError, match="binary mode"):
        bpnet.load(io.StringIO("{}"))
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(ValueError, match="closed file") as caught:
        bpnet.load(closed)
    assert caught.type is ValueError


def test_loading_leaves_the_file_open_and_at_its_end():
    file = io.BytesIO(to_bytes(random_net([3, 2])))
    bpnet.load(file)
    assert file.tell() == len(file.getvalue())


def test_saving_replaces_and_leaves_no_litter(tmp_path):
    for net in networks():
        net.save(tmp_path / "net")
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    assert bpnet.load(tmp_path / "net").sizes == (3, 5, 4, 2)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        bpnet.load(tmp_path / "no such file")
    with pytest.raises(FileNotFoundError):
        random_net([3, 2]).save(tmp_path / "no such folder" / "net")


GARBAGE = {
    "empty": b"",
    "text": b"once upon a time",
    "a pickle": pickle.dumps({"weights": 1}),
    "a huge header": b"\xff" * 64,
    "a short header": (8).to_bytes(8, "little") + b"{}",
    "another safetensors file": (2).to_bytes(8, "little") + b"{}",
    "random": np.random.default_rng(0).bytes(1000),
}


@pytest.mark.parametrize("row", GARBAGE)
def test_garbage(row, tmp_path):
    (tmp_path / "net").write_bytes(GARBAGE[row])
    with pytest.raises(bpnet.ModelFileError, match="net"):
        bpnet.load(tmp_path / "net")


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    random_net([3, 4, 2]).save(tmp_path / "net")
    whole = (tmp_path / "net").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(bpnet.ModelFileError):
            bpnet.load(tmp_path / "cut")


def rewritten(tmp_path, **changes):
    """A model file with other metadata."""
    from safetensors.numpy import load_file, save_file

    net = random_net([3, 4, 2])
    net.save(tmp_path / "net")
    metadata = {"format": "bpnet", "format_version": "1", "bpnet_version": "0", "config": json.dumps(net.config)}
    save_file(load_file(tmp_path / "net"), tmp_path / "net", {**metadata, **changes})
    return tmp_path / "net"


CHANGES = {
    "another format": ({"format": "other"}, "bpnet"),
    "a newer version": ({"format_version": "999", "bpnet_version": "9.9"}, r"9\.9.*999"),
    "no version": ({"format_version": "one"}, "format_version"),
    "no JSON": ({"config": "{"}, "config"),
    "another shape": ({"config": json.dumps({**random_net([3, 5, 2]).config})}, "weights|biases"),
    "an unknown activation": ({"config": json.dumps({**random_net([3, 4, 2]).config, "output_activation": "x"})}, "x"),
    "another dtype": ({"config": json.dumps({**random_net([3, 4, 2]).config, "dtype": "float32"})}, "F32"),
}


@pytest.mark.parametrize("row", CHANGES)
def test_files_that_lie(row, tmp_path):
    changes, words = CHANGES[row]
    with pytest.raises(bpnet.ModelFileError, match=words):
        bpnet.load(rewritten(tmp_path, **changes))


def test_an_unchanged_rewrite_loads(tmp_path):
    assert bpnet.load(rewritten(tmp_path)).sizes == (3, 4, 2)


def test_astype():
    net = random_net([3, 4, 2], "tanh", "softmax", "float32")
    large = net.astype("float64")
    assert large.dtype == np.float64
    assert (large.parameters == net.parameters).all()
    assert bits(large.astype("float32").parameters) == bits(net.parameters)
    assert large.activations == net.activations
    assert not np.shares_memory(net.astype("float32").parameters, net.parameters)


def test_subclasses_come_back_as_themselves():
    class Mine(bpnet.Network):
        pass

    globals()["Mine"] = Mine
    Mine.__qualname__ = "Mine"
    net = Mine([3, 2], seed=0)
    assert type(net.copy()) is Mine
    assert type(pickle.loads(pickle.dumps(net))) is Mine


class Clipped(bpnet.Network):
    """Gives something else than its parameters say, as subclasses may."""

    def predict(self, x, out=None, *, threads=None):
        return np.clip(super().predict(x, out, threads=threads), 0.5, 0.51)

    @property
    def parameters(self):
        return super().parameters.copy()


def test_what_a_subclass_overrides_is_kept_out_of_files_and_copies(tmp_path):
    net = Clipped([3, 4, 2], seed=0)
    net.note = "mine"
    net.save(tmp_path / "net")
    plain = bpnet.Network([3, 4, 2], seed=0)
    assert (bpnet.load(tmp_path / "net").parameters == plain.parameters).all()
    for twin in (net.copy(), net.astype("float64")):
        assert type(twin) is Clipped and twin.note == "mine"
        assert (twin.parameters == plain.parameters).all()


class Slotted(bpnet.Network):
    __slots__ = ("__hidden", "empty", "tag")

    def hide(self, value=None):
        if value is not None:
            self.__hidden = value
        return self.__hidden


class SlottedMore(Slotted):
    __slots__ = "more"


@pytest.mark.parametrize("kind", [Slotted, SlottedMore])
def test_slots_of_a_subclass_are_attributes_too(kind):
    net = kind([3, 2], seed=0)
    net.tag = 5
    net.hide(7)
    if kind is SlottedMore:
        net.more = "more"
    for twin in (net.copy(), copy.deepcopy(net), pickle.loads(pickle.dumps(net)), net.astype("float64")):
        assert type(twin) is kind and twin.tag == 5 and twin.hide() == 7 and not hasattr(twin, "empty")
        assert kind is Slotted or twin.more == "more"


@pytest.mark.parametrize("taken", [None, 0, -1])
def test_a_raw_file_that_takes_nothing_is_an_oserror(taken):
    class Full(io.RawIOBase):
        def write(self, data):
            return taken

    with pytest.raises(OSError, match="the file takes no more"):
        bpnet.Network([2, 1], seed=0).save(Full())


def test_load_takes_whatever_holds_bytes():
    net = bpnet.Network([2, 3, 1], seed=0)
    net.save(file := io.BytesIO())
    data = file.getvalue()
    apart = np.repeat(np.frombuffer(data, np.uint8), 2)[::2]
    for holder in (array.array("B", data), np.frombuffer(data, np.uint8), (ctypes.c_char * len(data))(*data), apart):
        assert (bpnet.load(holder).parameters == net.parameters).all()
    for nothing in (np.zeros(0, np.uint8), np.zeros((0, 3)), array.array("d")):
        with pytest.raises(bpnet.ModelFileError):
            bpnet.load(nothing)


def test_save_says_what_it_can_write_to():
    with pytest.raises(TypeError, match="path is 5 .int., but must be a path or a binary file"):
        bpnet.Network([2, 1], seed=0).save(5)
