"""Feeds bpnet.load with model files gone wrong: a network or a ModelFileError comes out, nothing else.

    python fuzz/fuzz_load.py CORPUS [-runs=N] [-max_total_time=SECONDS] [any other option of libFuzzer]

Needs atheris. CORPUS is a folder; where it is empty, small model files are put there first. Most inputs are mutated as
what they are, a header with tensors behind it, since random bytes rarely get past the JSON; most checksums are made to
fit, so that what lies behind them is reached too.
"""

import contextlib
import io
import json
import os
import random
import sys
import zlib
from pathlib import Path

import atheris

# What names the functions of a finding is started without it, if it goes before NumPy adds to the environment.
os.environ.pop("LD_PRELOAD", None)
# Where atheris traces a comparison of arrays, it loses the result: a hundred bytes an input, a gigabyte in ten million.
# A search for leaks does without and is guided by the extension alone.
LEAKS = "detect_leaks=1" in os.environ.get("ASAN_OPTIONS", "")
traced = atheris.instrument_imports(include=["bpnet", "json"], exclude=["bpnet.cli", "bpnet.plotting"])
with contextlib.nullcontext() if LEAKS else traced:
    import json.decoder

    import bpnet
    from bpnet import _self_test
    from bpnet._serialization import to_bytes

NUMBERS = [-1, 0, 1, 2, 3, 4, 5, 8, 16, 17, 255, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 0.5, 1e308, True]
STRINGS = ["", "bpnet", "1", "2", "F32", "F64", "U8", "F16", "tanh", "softmax", "exponential", "float32", "float64"]
STRINGS += ["weights.1", "weights.01", "biases.2", "input_shift", "self_test.x", "checksums", "__metadata__"]
STRINGS += ["normal", "\0", "tanh" * 25]
VALUES = [None, [], {}, [[]], {"normal": {"std": 1.0}}, {"uniform": {"low": 0, "high": 1}}, *NUMBERS, *STRINGS]


def seeds(folder):
    """One small file of every shape that a model file takes."""
    nets = [bpnet.Network([2, 3, 1], activation, "softmax", seed=1) for activation in ("tanh", "exponential")]
    nets += [bpnet.Network([1, 1], dtype="float64", seed=2**63), bpnet.Network([1] * 9, "sine", "identity", seed=3)]
    nets += [bpnet.Network([3, 2], init=bpnet.Normal(std=0.5), bias_init=bpnet.Constant(value=2.0), seed=4)]
    nets[2].normalize(x=[[1.0], [3.0]], y=[[0.0], [9.0]])
    nets[3].parameters[2] = float("nan")
    for i, net in enumerate(nets):
        (folder / f"seed{i}").write_bytes(to_bytes(net))


def test_one_input(data):
    source = io.BytesIO(data) if len(data) % 2 else data
    try:
        net = bpnet.load(source)
    except bpnet.ModelFileError:
        return
    again = bpnet.load(to_bytes(net))
    assert again.config == net.config
    assert again.parameters.tobytes() == net.parameters.tobytes()
    assert _self_test.outputs(again, _self_test.inputs(net)).shape == (_self_test.ROWS, net.sizes[-1])


# ---- mutations -------------------------------------------------------------------------------------------------------


def mutate(data, max_size, seed):
    rng = random.Random(seed)
    length = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + length], data[8 + length :]
    way = rng.randrange(10)
    if way == 0 or len(data) < 8:
        return atheris.Mutate(data, max_size)
    if way == 1:  # the header's text, its length made to fit
        header = atheris.Mutate(header, max(len(header) + 8, 1))
    elif way == 2 and body:
        body = atheris.Mutate(body, len(body))
    else:
        try:
            header, body = mutated_parts(json.loads(header), bytearray(body), rng)
        except (ValueError, RecursionError, AttributeError, TypeError, KeyError):
            header = atheris.Mutate(header, max(len(header), 1))
    return (len(header).to_bytes(8, "little") + header + body)[:max_size]


def mutated_parts(entries, body, rng):
    """Header and body after one change to what they mean."""
    metadata = entries.get("__metadata__", {})
    target = rng.choice(["entry", "metadata", "config", "config", "order", "body"])
    if target == "config":
        config = json.loads(metadata["config"])
        change(config, rng)
        metadata["config"] = json.dumps(config)
    elif target == "order":
        names = list(entries)
        rng.shuffle(names)
        entries = {name: entries[name] for name in names}
    elif target == "body" and body:
        body[rng.randrange(len(body))] = rng.randrange(256)
    else:
        change(entries if target == "entry" else metadata, rng)
    if rng.randrange(4):
        fit_checksums(entries, body)
    text = json.dumps(entries, separators=rng.choice([(",", ":"), (", ", ": ")]))
    return text.encode("utf-8", "surrogatepass"), bytes(body)


def change(value, rng):
    """Goes down a random path of the JSON value and changes what is there, in place."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys or rng.randrange(12) == 0:
            if isinstance(value, dict):
                value[rng.choice(STRINGS)] = rng.choice(VALUES)
            else:
                value.append(rng.choice(VALUES))
            return
        key = rng.choice(keys)
        if isinstance(value[key], (dict, list)) and rng.randrange(8):
            value = value[key]
            continue
        if rng.randrange(8) == 0:
            del value[key]
        elif type(value[key]) is int and rng.randrange(2):
            value[key] += rng.choice([-4, -1, 1, 4])
        else:
            value[key] = rng.choice(VALUES)
        return


def fit_checksums(entries, body):
    """Writes the checksums that this content would have."""
    names = [name for name in entries if name not in ("__metadata__", "checksums")]
    sums = zlib.crc32(entries["__metadata__"]["config"].encode()).to_bytes(4, "little")
    for name in names:
        begin, end = entries[name]["data_offsets"]
        sums += zlib.crc32(body[begin:end]).to_bytes(4, "little")
    begin, end = entries["checksums"]["data_offsets"]
    if end - begin == len(sums):
        body[begin:end] = sums


def main():
    folder = Path(next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "corpus"))
    if not folder.is_file():  # one input to look at again
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            seeds(folder)
    # Leaks are looked for once, at the end: what is kept for the next input looks like one after each.
    options = ["fuzz_load", "-max_len=4096", "-rss_limit_mb=4096", "-print_funcs=0", "-detect_leaks=0", *sys.argv[1:]]
    atheris.Setup(options, test_one_input, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
