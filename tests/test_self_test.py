"""The self-test inside a file: it finds a network that computes something else, and never a legal one at fault."""

import os
import subprocess
import sys

import bpnet
import numpy as np
import oracle
import pytest
from bpnet import _core, _self_test
from bpnet._serialization import from_bytes, to_bytes
from forged import bare, split, with_checksums, with_config, with_tensor
from nets import bits, random_net

PLENTY, NOTHING = 2**40, 0  # bytes to spare: ask the engine first, or NumPy
ISA = bpnet.get_config()["isa_available"]


def wild_networks():
    """Legal networks whose outputs are far from tame."""
    for dtype in ("float32", "float64"):
        for activation in oracle.ALL_ACTIVATIONS:
            for std in (0.1, 1.0, 30.0, 1e6):
                yield bpnet.Network(
                    [7, 20, 20, 3], activation, activation, init=bpnet.Normal(std=std), dtype=dtype, seed=1
                )
        yield bpnet.Network([5] + [8] * 40 + [2], "sine", "identity", init=bpnet.Normal(std=5.0), dtype=dtype, seed=2)
        yield bpnet.Network([3, 4, 2], "tanh", "softmax", init="zeros", dtype=dtype, seed=2)
        yield bpnet.Network([400, 300, 2], init=bpnet.Constant(value=0.5), dtype=dtype, seed=2)
        for value in (np.nan, np.inf, np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal):
            net = random_net([3, 4, 2], "identity", "identity", dtype)
            net.parameters[::3] = value
            yield net
        net = random_net([2, 4, 2], "tanh", "identity", dtype)
        extreme = float(np.finfo(dtype).max) / 8
        net._native.set_normalization([extreme, 0], [extreme, 1e-30], [0, -extreme], [extreme, 1])
        yield net


@pytest.mark.parametrize("spare", [PLENTY, NOTHING])
def test_no_legal_network_is_at_fault(spare):
    for net in wild_networks():
        x = _self_test.inputs(net)
        _self_test.check(net, x, _self_test.outputs(net, x), spare)
        assert bits(from_bytes(to_bytes(net)).parameters) == bits(net.parameters)


def test_the_bound_covers_what_the_engine_does():
    """Both dtypes against NumPy's float64; where nothing overflows, it says something."""
    shares = []
    for net in wild_networks():
        for x in _self_test.inputs(net):
            with np.errstate(all="ignore"):
                y, allowed = _self_test.evaluate(net, x)
            known = np.isfinite(allowed)
            assert (np.abs(net.predict(x)[known] - y[known]) <= allowed[known]).all()
            shares.append(known.mean())
    assert np.mean(shares) > 0.7


@pytest.mark.parametrize("spare", [PLENTY, NOTHING])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", oracle.ALL_ACTIVATIONS)
def test_another_activation_is_noticed(activation, dtype, spare):
    net = bpnet.Network([3, 6, 2], activation, "identity", dtype=dtype, seed=3)
    for other in oracle.ALL_ACTIVATIONS:
        twin = bpnet.Network([3, 6, 2], other, "identity", dtype=dtype, seed=3)
        twin.parameters[:] = net.parameters
        x = _self_test.inputs(twin)
        if other == activation:
            _self_test.check(net, x, _self_test.outputs(twin, x), spare)
        else:
            with pytest.raises(ValueError, match="self-test failed"):
                _self_test.check(net, x, _self_test.outputs(twin, x), spare)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moved_parameters_and_normalisation_are_noticed(dtype):
    net = bpnet.Network([4, 5, 5, 3], "tanh", "sigmoid", dtype=dtype, seed=3)
    net.normalize(x=np.arange(40.0).reshape(10, 4))
    data = to_bytes(net)
    changes = {"weights.2": net.weights[1].T.copy(), "biases.3": net.biases[2] + np.asarray(1e-3, dtype)}
    changes |= {"input_shift": net.input_shift * 2, "self_test.x": _self_test.inputs(net)[::-1].copy()}
    for name, values in changes.items():
        with pytest.raises(bpnet.ModelFileError, match="self-test failed"):
            bpnet.load(with_tensor(data, name, np.ascontiguousarray(values, dtype)))
    with pytest.raises(bpnet.ModelFileError, match="self-test failed"):
        bpnet.load(with_config(data, activation=["tanh", "softsign"]))


def test_a_file_without_self_test_or_checksums_loads():
    net = random_net([3, 4, 2])
    for data in (bare(net), to_bytes(net)):
        assert bits(bpnet.load(data).parameters) == bits(net.parameters)


def test_inputs_are_raw_and_spread():
    net = random_net([4, 3])
    x = _self_test.inputs(net)
    assert x.shape == (3, 4) and x.dtype == net.dtype
    assert -2 <= x.min() < -1 and 1 < x.max() <= 2
    net.normalize(x=np.arange(40.0).reshape(10, 4))
    assert np.allclose(_self_test.inputs(net), x * net.input_scale + net.input_shift)
    entries, body = split(to_bytes(net))
    assert body == with_checksums(entries, body)


@pytest.mark.parametrize("isa", ISA)
def test_other_levels_accept_it(isa, tmp_path):
    """Written by the level in use, read by every other one, whether that has fused multiply-add or not."""
    paths = []
    for i, net in enumerate(wild_networks()):
        paths.append(tmp_path / str(i))
        net.save(paths[-1])
    script = "import sys, bpnet; print(len([bpnet.load(path) for path in sys.argv[1:]]))"
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], env=os.environ | {"BPNET_ISA": isa}, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(len(paths))], done.stderr


def test_no_slope_is_steeper_than_it_says():
    z = np.concatenate([np.linspace(-30, 30, 60_001), [-1e6, 1e6]])
    for name in set(oracle.ALL_ACTIVATIONS) - {"softmax", "exponential"}:
        assert np.abs(_core.elementwise(name, z, True)).max() <= _self_test._steepest(name)
