"""Files that mean harm: each is a ModelFileError, and none takes more memory than 4 times its size and 1 MiB."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import bpnet
import numpy as np
import pytest
from bpnet._serialization import to_bytes
from forged import file_of, raw, split, with_config, with_tensor
from nets import random_net

NET = random_net([3, 4, 2])
DATA = to_bytes(NET)
ENTRIES, BODY = split(DATA)


def entries(**changes):
    """The header's entries with some replaced; None leaves one out."""
    return {name: value for name, value in {**ENTRIES, **changes}.items() if value is not None}


def moved(name, begin, end):
    return file_of(entries(**{name: {**ENTRIES[name], "data_offsets": [begin, end]}}), BODY)


def metadata(**changes):
    return file_of(entries(__metadata__=ENTRIES["__metadata__"] | changes), BODY)


def claiming(*sizes):
    """A file of a few hundred bytes whose header and config agree on a network of any size."""
    config = json.dumps(NET.config | {"sizes": list(sizes), "activation": ["tanh"] * (len(sizes) - 2)})
    found, end = {"__metadata__": ENTRIES["__metadata__"] | {"config": config}}, 0
    for l in range(1, len(sizes)):
        for name, shape in ((f"weights.{l}", [sizes[l], sizes[l - 1]]), (f"biases.{l}", [sizes[l]])):
            begin, end = end, end + 8 * int(np.prod(shape, dtype=object))
            found[name] = {"dtype": "F64", "shape": shape, "data_offsets": [begin, end]}
    return file_of(found)


W1 = ENTRIES["weights.1"]
TEXT = json.dumps(ENTRIES)

SMALL = {
    "nothing": b"",
    "half a length": DATA[:5],
    "a length and no header": DATA[:8],
    "a length of 2**64 - 1": b"\xff" * 8 + DATA[8:],
    "a length of 99 MB": (99_000_000).to_bytes(8, "little") + DATA[8:],
    "a length of 0": bytes(8) + DATA[8:],
    "a length one too long": raw(TEXT + " ", BODY)[:-1],
    "one byte too many": DATA + b"\0",
    "one byte too few": DATA[:-1],
    "no JSON": raw("{" + "x" * 50, BODY),
    "a list": raw("[]", BODY),
    "an empty object": raw("{}"),
    "two objects": raw(TEXT + TEXT, BODY),
    "no closing brace": raw(TEXT[:-1], BODY),
    "a comma too many": raw(TEXT[:-1] + ",}", BODY),
    "not UTF-8": raw(TEXT.encode().replace(b"weights.1", b"\xff\xfe"), BODY),
    "no metadata": file_of(entries(__metadata__=None), BODY),
    "metadata twice": raw(TEXT[:-1] + ',"__metadata__":{}}', BODY),
    "metadata that are a list": file_of(entries(__metadata__=[]), BODY),
    "metadata of numbers": file_of(entries(__metadata__={"format": 1}), BODY),
    "format twice": raw(TEXT.replace('"format": "bpnet"', '"format": "bpnet", "format": "bpnet"'), BODY),
    "a tensor twice": raw(TEXT[:-1] + f',"weights.1":{json.dumps(W1)}}}', BODY),
    "a key twice in a tensor": raw(TEXT.replace('"dtype": "F64"', '"dtype": "F64", "dtype": "F64"', 1), BODY),
    "a tensor too many": file_of(entries(**{"weights.3": W1}), BODY),
    "a tensor of a strange name": file_of(entries(spam=W1), BODY),
    "a layer 0": file_of(entries(**{"weights.0": W1}), BODY),
    "no weights": file_of(entries(**{"weights.1": None}), BODY),
    "a string for a tensor": file_of(entries(**{"weights.1": "F64"}), BODY),
    "a number for a shape": file_of(entries(**{"weights.1": W1 | {"shape": 12}}), BODY),
    "a shape of halves": file_of(entries(**{"weights.1": W1 | {"shape": [1.5, 8]}}), BODY),
    "a shape of truths": file_of(entries(**{"biases.1": W1 | {"shape": [True]}}), BODY),
    "a negative shape": file_of(entries(**{"weights.1": W1 | {"shape": [-4, -3]}}), BODY),
    "three axes": file_of(entries(**{"weights.1": W1 | {"shape": [4, 3, 1]}}), BODY),
    "a transposed shape": file_of(entries(**{"weights.1": W1 | {"shape": [3, 4]}}), BODY),
    "a shape of 2**64": file_of(entries(**{"weights.1": W1 | {"shape": [2**64, 3]}}), BODY),
    "another dtype": file_of(entries(**{"weights.1": W1 | {"dtype": "I64"}}), BODY),
    "an unknown dtype": file_of(entries(**{"weights.1": W1 | {"dtype": "F128"}}), BODY),
    "offsets that overlap": moved("biases.1", 0, 32),
    "offsets behind the end": moved("weights.1", 10**6, 10**6 + 96),
    "offsets of 2**70": moved("weights.1", 2**70, 2**70 + 96),
    "negative offsets": moved("weights.1", -96, 0),
    "offsets that go back": moved("weights.1", 96, 0),
    "a shorter tensor": moved("weights.1", 0, 88),
    "config: no JSON": metadata(config="{"),
    "config: a list": metadata(config="[]"),
    "config: empty": metadata(config=""),
    "config: NaN": metadata(config=ENTRIES["__metadata__"]["config"].replace("[3,", "[NaN,")),
    "config: a key twice": metadata(config=ENTRIES["__metadata__"]["config"][:-1] + ', "seed": 0}'),
    "config: a key too many": with_config(DATA, spam=1),
    "config: deep": metadata(config="[" * 3000),
    "config: emoji": metadata(config="\U0001f600" * 9),
    "version: none": metadata(format_version=""),
    "version: 0": metadata(format_version="0"),
    "version: -1": metadata(format_version="-1"),
    "version: 1.0": metadata(format_version="1.0"),
    "version: other digits": metadata(format_version="\u0661"),
    "version: 2": metadata(format_version="2"),
    "version: 10**9": metadata(format_version="9" * 5000),
    "sizes [10**9, 10**9]": claiming(10**9, 10**9),
    "sizes [10**6, 10**6, 1]": claiming(10**6, 10**6, 1),
    "sizes beyond 64 bits": claiming(2**62, 2**62),
    "sizes of one": claiming(5),
    "one normalisation alone": file_of(entries(input_shift={**ENTRIES["biases.2"]}), BODY),
    "a self-test that fails": with_tensor(DATA, "self_test.y", np.full((3, 2), 1e-3)),
    "a self-test of NaN": with_tensor(DATA, "self_test.y", np.full((3, 2), np.nan)),
    "self_test.x alone": file_of(entries(**{"self_test.y": None}), BODY),
}
CONFIG = {
    "sizes": [None, 3, "342", [], [3], [3, 4, 2, 1], [3, 0, 2], [3, -4, 2], [3, 4.0, 2], [3, True, 2], [3, 2**63, 2]]
    + [[3, 10**400, 2], [3, [4], 2], {"3": 4}],
    "activation": [None, "tanh", [], ["tanh", "tanh"], ["Tanh"], ["tan"], [None], [5], ["\ud800"], ["x" * 3000]],
    "output_activation": [None, "", "relu7", ["tanh"], 7, {"a": 1}, "softmax "],
    "dtype": [None, "float16", "f8", ">f8", "(9,9)f8", "float32", 8, ["float64"], "object"],
    "seed": [None, -1, 2**64, 0.5, "0", True, [1]],
    "init": [None, 1, "aut", [], {}, {"normal": 1}, {"normal": {"std": -1}}, {"normal": {"std": 1e999}}]
    + [{"normal": {"mu": 1}}, {"x": {}}, {"normal": {}, "uniform": {}}, "y" * 3000, {"normal": {"std": "1"}}],
    "bias_init": [1, "auto", "he_normal", {"uniform": {"low": 2, "high": 1}}, {"orthogonal": {"gain": 10**400}}],
}
SMALL |= {f"{key} {value!r:.40}": with_config(DATA, **{key: value}) for key, row in CONFIG.items() for value in row}


@pytest.mark.parametrize("row", SMALL)
def test_each_is_a_model_file_error(row, tmp_path):
    (tmp_path / "net").write_bytes(SMALL[row])
    with (tmp_path / "net").open("rb") as file:
        for source in (SMALL[row], io.BytesIO(SMALL[row]), tmp_path / "net", file):
            with pytest.raises(bpnet.ModelFileError) as caught:
                bpnet.load(source)
            assert len(str(caught.value)) < 600


def test_the_file_that_they_were_made_of_is_good():
    for good in (DATA, file_of(ENTRIES, BODY), with_config(DATA, seed=5), raw(TEXT + "   \n", BODY)):
        assert bpnet.load(good).sizes == (3, 4, 2)


def test_any_changed_byte_of_the_tensors_is_noticed():
    start = len(DATA) - len(BODY)
    for at in range(start, len(DATA)):
        with pytest.raises(bpnet.ModelFileError):
            bpnet.load(DATA[:at] + bytes([DATA[at] ^ 0x04]) + DATA[at + 1 :])


def test_any_changed_byte_of_the_header_is_noticed_or_means_nothing():
    start = len(DATA) - len(BODY)
    for at in range(start):
        for flip in (0x01, 0x10, 0x80):
            changed = DATA[:at] + bytes([DATA[at] ^ flip]) + DATA[at + 1 :]
            try:
                net = bpnet.load(changed)
            except bpnet.ModelFileError:
                continue
            assert net.config == NET.config, at  # bpnet_version, say
            assert (net.parameters == NET.parameters).all(), at


# ---- memory ----------------------------------------------------------------------------------------------------------

MB = 400_000


def many(entry, count):
    """A header of so many entries."""
    return raw(TEXT[:-1] + "," + ",".join(entry.format(i) for i in range(3, count)) + "}", BODY)


def wrong_self_test(*sizes):
    net = bpnet.Network(sizes, "tanh", seed=0)
    return with_tensor(to_bytes(net), "self_test.y", np.full((3, sizes[-1]), 0.123, np.float32))


def flipped(*sizes, at=-1):
    data = bytearray(to_bytes(bpnet.Network(sizes, "tanh", seed=0)))
    data[at] ^= 1
    return bytes(data)


def long_config(text):
    """A config that is not ours, in a file with a tensor for every 60 bytes of it."""
    config = '{"__metadata__":' + json.dumps(ENTRIES["__metadata__"] | {"config": text})
    entry = '"weights.{}":{{"dtype":"F64","shape":[0],"data_offsets":[0,0]}}'
    return raw(config + "," + ",".join(entry.format(i) for i in range(1, len(text) // 60)) + "}")


LARGE = {
    "nothing but brackets": lambda: raw("{" + "[" * 4 * MB),
    "deep entries": lambda: raw('{"weights.1":' * MB),
    "a deep entry": lambda: raw('{"weights.1":{"dtype":' + "[" * 4 * MB + "}}"),
    "empty entries": lambda: many('"weights.{}":{{}}', 40_000),
    "small entries": lambda: many('"weights.{}":{{"dtype":"F64","shape":[0],"data_offsets":[0,0]}}', 20_000),
    "spaces": lambda: raw(" " * 8 * MB),
    "a string of backslashes": lambda: raw('{"__metadata__":{"a":"' + "\\" * 4 * MB),
    "a string of escaped quotes": lambda: raw('{"__metadata__":{"a":"' + '\\"' * 2 * MB + '"}}'),
    "many metadata": lambda: raw('{"__metadata__":{' + ",".join(f'"{i}":""' for i in range(MB)) + "}}"),
    "a long config": lambda: metadata(config="[" + "[]," * MB + "[]]"),
    "config: lists": lambda: long_config("[" + "[]," * MB + "[]]"),
    "config: sizes": lambda: long_config(json.dumps(NET.config | {"sizes": [999] * MB})),
    "config: names": lambda: long_config(json.dumps(NET.config | {"activation": ["tanh"] * (MB // 2)})),
    "config: a long name": lambda: long_config(json.dumps(NET.config | {"output_activation": "tanh" * MB})),
    "config: emoji": lambda: long_config("\\ud83d\\ude00" * (MB // 2)),
    "config: a long number": lambda: long_config('{"sizes":' + "9" * 3 * MB),
    "a million layers": lambda: metadata(config=json.dumps(NET.config | {"sizes": [1] * MB})),
    "a network of 10**18": lambda: claiming(10**9, 10**9) + bytes(MB),
    "cut short": lambda: flipped(1000, 2000)[:-4],
    "too long": lambda: flipped(1000, 2000) + b"\0",
    "a flipped bit": lambda: flipped(1000, 2000, at=-100),
    "a flipped bit, deep": lambda: flipped(*[1] * 8001),
    "a flipped bit, float32": lambda: flipped(500, 500, 500, at=-20_000),
    "a wrong self-test": lambda: wrong_self_test(784, 30, 10),
    "a wrong self-test, large": lambda: wrong_self_test(1000, 1000, 500),
    "a wrong self-test, wide in": lambda: wrong_self_test(3000, 1),
    "a wrong self-test, wide out": lambda: wrong_self_test(1, 300_000),
    "a wrong self-test, wide inside": lambda: wrong_self_test(1, 300_000, 1),
    "a wrong self-test, deep": lambda: wrong_self_test(*[1] * 4001),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Where each of them lies."""
    folder = tmp_path_factory.mktemp("large")
    paths = {row: folder / str(i) for i, row in enumerate(LARGE)}
    for row, path in paths.items():
        path.write_bytes(LARGE[row]())
    return paths


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="memory is measured as Linux does it")
@pytest.mark.parametrize("manner", ["path", "bytes", "bytearray", "stream"])
def test_memory(manner, large):
    program = Path(__file__).with_name("load_memory.py")
    done = subprocess.run(
        [sys.executable, program, manner, *large.values()], capture_output=True, text=True, timeout=300, check=True
    )
    wrong, shares = [], {}
    for row, path, line in zip(large, large.values(), done.stdout.splitlines(), strict=True):
        taken, outcome = json.loads(line)
        most = 4 * path.stat().st_size + 2**20
        shares[row] = taken / most
        if taken > most or not (outcome or "").startswith("ModelFileError"):
            wrong.append(f"{row}: {taken / most:.2f} of what is allowed, {taken:,} bytes, {outcome}")
    worst = max(shares, key=shares.get)
    print(f"{manner}: at most {shares[worst]:.2f} of what is allowed, for {worst}")  # pytest -s shows it
    assert wrong == []
