"""What holds for all other libraries: they are asked for by name, and steps between layers are folded exactly."""

import sys

import bpnet
import numpy as np
import pytest
from bpnet.interop._chain import Chain
from nets import bits, random_net

CALLS = {
    "torch": [lambda: bpnet.from_torch(None), lambda: bpnet.to_torch(random_net([2, 1]))],
    "sklearn": [lambda: bpnet.from_sklearn(None)],
    "onnx": [lambda: bpnet.onnx.export(random_net([2, 1]), "never"), lambda: bpnet.onnx.load(b"")],
}


@pytest.mark.parametrize("library", CALLS)
def test_a_missing_library_is_asked_for(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    for call in CALLS[library]:
        with pytest.raises(ImportError, match=rf"{library} is not installed; `pip install .*{library}"):
            call()


def test_the_names_are_there_before_they_are_used():
    for name in ("from_torch", "to_torch", "from_sklearn", "from_keras", "onnx"):
        assert name in dir(bpnet)
    with pytest.raises(AttributeError, match="module 'bpnet' has no attribute 'from_nowhere'"):
        bpnet.from_nowhere  # noqa: B018


# ---- steps that whole numbers carry through exactly, in all the places where they may stand

W1, W2 = np.array([[1.0, -2, 3], [4, 0, -1]]), np.array([[2.0, -1], [0, 5], [3, 3]])
B1, B2 = np.array([1.0, -3]), np.array([0.5, 2, -1])
X = np.random.default_rng(0).integers(-8, 9, (20, 3)).astype(float)
STEPS = [("add", 3.0), ("multiply", [2.0, 0.5, 4]), ("subtract", [1.0, -2, 0]), ("divide", 0.25)]


def apply(steps, x):
    for operation, c in steps:
        c = np.asarray(c)
        x = {"add": x + c, "subtract": x - c, "multiply": x * c, "divide": x / np.where(c == 0, np.nan, c)}[operation]
    return x


def cut(steps, n):
    return [(operation, c if np.ndim(c) == 0 else c[:n]) for operation, c in steps]


def chain(front=(), middle=(), after=(), end=()):
    """x - front - W1 - middle - relu - after - W2 - end, as a network, and its values."""
    c = Chain()

    def add(steps):
        for operation, constants in steps:
            c.affine("step", operation, constants)

    add(front)
    c.dense("first", W1, B1)
    add(middle)
    c.activation("relu", "relu")
    add(after)
    c.dense("second", W2, B2)
    add(end)
    a = apply(after, np.maximum(apply(middle, apply(front, X) @ W1.T + B1), 0))
    return c.network(), apply(end, a @ W2.T + B2)


@pytest.mark.parametrize("place", ["front", "middle", "after", "end"])
@pytest.mark.parametrize("order", [STEPS, STEPS[::-1], STEPS[:1], STEPS[1:2], STEPS[2:]], ids=len)
def test_affine_steps_anywhere(place, order):
    n = {"front": 3, "middle": 2, "after": 2, "end": 3}[place]
    net, expected = chain(**{place: cut(order, n)})
    assert (net.input_scale is not None) == (place == "front")
    assert (net.output_scale is not None) == (place == "end")
    assert (net.predict(X) == expected).all()


@pytest.mark.parametrize("factor", [-2.0, [1.0, 0.0, -4.0]], ids=str)
@pytest.mark.parametrize("place", ["front", "end"])
def test_scales_that_no_normalisation_has_are_folded(place, factor):
    net, expected = chain(**{place: [("multiply", factor), ("add", 1.0)]})
    assert net.input_scale is None and net.output_scale is None
    assert (net.predict(X) == expected).all()


def test_a_shift_and_a_scale_are_kept_to_the_bit():
    shift, scale = np.array([0.1, 1e9, -3e-7]), np.array([0.3, 7e5, 1 / 3])
    net, _ = chain(
        front=[("subtract", shift), ("divide", scale)],
        end=[("multiply", scale), ("add", shift)],
    )
    assert bits(net.input_shift) == bits(net.output_shift) == bits(shift)
    assert bits(net.input_scale) == bits(net.output_scale) == bits(scale)


def test_the_first_sum_behind_a_product_is_its_bias():
    c = Chain()
    c.dense("first", W1.astype(np.float32))
    c.affine("bias", "add", B1)
    net = c.network()
    assert net.output_shift is None
    assert net.biases[0].tolist() == B1.tolist()


def test_the_same_model_gives_the_same_config():
    one, other = (chain()[0] for _ in range(2))
    assert one.config == other.config
