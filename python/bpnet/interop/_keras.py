"""Networks from Keras, on any backend.

No Keras is imported here: the model brings its own. Layers are known by their class names; what an activation computes
is looked at, since the same name means another function from one release to the next (hard_sigmoid) or takes options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._options import wrong_type
from ._chain import Chain, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._network import Network

# Names that Keras gives to functions, and ours.
_ACTIVATIONS = {
    "linear": "identity",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "selu": "selu",
    "softplus": "softplus",
    "softsign": "softsign",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "mish": "mish",
    "hard_sigmoid": "hard_sigmoid",
    "hard_tanh": "hard_tanh",
    "sin": "sine",
    "exp": "exponential",
    "exponential": "exponential",
    "softmax": "softmax",
}
_KERAS = ("keras.", "tf_keras.")
_NOTHING = {"InputLayer", "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization"}
_EXPECTED = "a Keras model: Sequential, or functional with one input, one output and no branches"
# Both sides of every kink, saturation, and enough between to tell gelu from its approximation.
_PROBE = np.array([-12, -6.5, -4, -2.75, -2, -1.25, -0.75, -0.1, 0, 0.1, 0.75, 1.25, 2, 2.75, 4, 6.5, 12], np.float32)
_TOLERANCE = 1e-5  # float32's rounding, several times over, relative to values up to e^12; gelu's tanh differs by 5e-4


def from_keras(model: Any) -> Network:
    """The network that computes what a Keras model computes in inference.

    Parameters
    ----------
    model : keras.Model
        Built: Sequential, or functional with one input, one output and no branches; models may be nested. Understood
        are Dense, Activation, ReLU, LeakyReLU, ELU, Softmax; InputLayer, dropouts, noise and Flatten, which says that x
        is to be passed as (m, n_0); Normalization, Rescaling and BatchNormalization, which become input or output
        normalisation at the ends and are folded into weights and biases elsewhere. Activations must compute what
        bpnet's compute: leaky_relu needs the slope 0.01, where Keras has 0.2 unless told otherwise, and gelu must be
        the exact one.

    Returns
    -------
    Network
        float32 or float64 as the weights are, which are copied. Its `seed` is 0.

    Raises
    ------
    TypeError
        Where `model` is no Keras model.
    ValueError
        Where it has no weights yet, or a layer is not understood; the message gives its name and class.

    Examples
    --------
    >>> import bpnet, keras
    >>> layers = [keras.Input((3,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)]
    >>> bpnet.from_keras(keras.Sequential(layers))
    bpnet.Network([3, 8, 1], activation='tanh', output_activation='identity', dtype='float32')
    """
    if not (hasattr(model, "layers") and hasattr(model, "get_weights")):
        wrong_type("model", model, _EXPECTED)
    chain = Chain()
    layers = list(_layers("the model", model))
    _check_input(model, layers)
    for layer in layers:
        _add(chain, _where(layer), layer)
    return chain.network()


def _where(layer: Any) -> str:
    return f"layer {layer.name!r} ({type(layer).__name__})"


# ---- which layers, in which order


def _layers(where: str, model: Any) -> Iterator[Any]:
    """Every layer on the way from the input to the output, those of nested models in their place."""
    if not type(model).call.__module__.startswith(_KERAS):
        refuse(where, "is a Model with code of its own; pass one that is Sequential or functional")
    for layer in model.layers if type(model).__name__ == "Sequential" else _path(where, model):
        if hasattr(layer, "layers"):
            yield from _layers(_where(layer), layer)
        else:
            yield layer


def _path(where: str, model: Any) -> list[Any]:
    """The layers of a functional model, found from its output back to its input."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        refuse(where, "is not built; call it once, so that it learns its sizes")
    if len(inputs) != 1 or len(outputs) != 1:
        refuse(where, f"has {len(inputs)} inputs and {len(outputs)} outputs, but a network has one of each")
    tensor, found = outputs[0], []
    while tensor is not inputs[0]:
        layer, node, _ = tensor._keras_history
        if layer.__class__.__name__ == "InputLayer":
            refuse(_where(layer), "is not the input of the model")
        before = _inputs_of(layer._inbound_nodes[node])
        if len(before) != 1:
            refuse(_where(layer), f"takes {len(before)} inputs, but the layers of a network form a chain")
        found.append(layer)
        tensor = before[0]
    return found[::-1]


def _inputs_of(node: Any) -> list[Any]:
    tensors = getattr(node, "keras_inputs", None)  # Keras 2
    if tensors is None:
        tensors = node.input_tensors
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]


def _check_input(model: Any, layers: list[Any]) -> None:
    """Refuses dense layers that Keras would apply along the last of several axes."""
    try:
        shape = model.input_shape
    except (AttributeError, ValueError):  # Sequential without an Input, called or not
        return
    first = next((layer for layer in layers if type(layer).__name__ not in _NOTHING), None)
    if isinstance(shape, tuple) and len(shape) != 2 and first is not None and type(first).__name__ != "Flatten":
        refuse("the model", f"takes inputs of shape {shape}, but must take (None, n) or begin with Flatten")


# ---- one layer


def _add(chain: Chain, where: str, layer: Any) -> None:
    kind = type(layer).__name__
    if not type(layer).__module__.startswith(_KERAS):
        refuse(where, "is not understood: it is no layer of Keras itself")
    if kind == "Dense":
        _add_dense(chain, where, layer)
    elif kind == "Activation":
        _add_activation(chain, where, layer.activation)
    elif kind in ("ReLU", "LeakyReLU", "ELU", "Softmax"):
        _add_activation_layer(chain, where, kind, layer.get_config())
    elif kind == "Normalization":
        _add_normalization(chain, where, layer)
    elif kind == "Rescaling":
        chain.affine(where, "multiply", layer.scale)
        chain.affine(where, "add", layer.offset)
    elif kind == "BatchNormalization":
        _add_batch_normalization(chain, where, layer)
    elif kind not in _NOTHING and kind != "Flatten":
        refuse(where, "is not understood")


def _add_dense(chain: Chain, where: str, layer: Any) -> None:
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        refuse(where, "is quantised or has LoRA weights, which is not understood")
    weights = layer.get_weights()
    if not weights:
        refuse(where, "has no weights yet; call model.build or the model first")
    chain.dense(where, weights[0].T, weights[1] if layer.use_bias else None)
    _add_activation(chain, where, layer.activation)


def _add_activation(chain: Chain, where: str, function: Any) -> None:
    name = getattr(function, "__name__", type(function).__name__)
    if name not in _ACTIVATIONS:
        refuse(where, f"has the activation {name!r}, which bpnet has not")
    ours = _ACTIVATIONS[name]
    expected = _values(ours)
    try:
        with np.errstate(all="ignore"):
            values = _numbers(function(_PROBE[np.newaxis].copy()))[0]
            off = np.abs(values - expected) > _TOLERANCE * np.maximum(1, np.abs(expected))
    except Exception as error:  # whatever a function that is none of Keras's may do
        raise ValueError(f"{where} has an activation {name!r} that cannot be called on an array: {error}") from error
    if off.any():
        i = int(off.argmax())
        refuse(
            where,
            f"has an activation {name!r} with the value {values[i]:.6g} at {_PROBE[i]:g}, "
            f"where bpnet's {ours} has {expected[i]:.6g}",
        )
    if ours != "identity":
        chain.activation(where, ours)


def _values(name: str) -> Any:
    """bpnet's activation at the probe, in float64."""
    z = _PROBE.astype(np.float64)
    if name == "softmax":
        e = np.exp(z - z.max())
        return e / e.sum()
    return _core.elementwise(name, z, False)


def _add_activation_layer(chain: Chain, where: str, kind: str, config: dict[str, Any]) -> None:
    if kind == "Softmax":
        if config["axis"] not in (-1, 1):
            refuse(where, f"has axis {config['axis']!r}, but must have -1")
        return chain.activation(where, "softmax")
    if kind == "ELU":
        if config["alpha"] != 1:
            refuse(where, f"has alpha {config['alpha']!r}, but bpnet's elu has 1")
        return chain.activation(where, "elu")
    if config.get("max_value") is not None or config.get("threshold"):
        refuse(where, "has a max_value or a threshold, but bpnet's relu has none")
    slope = float(config.get("negative_slope", config.get("alpha", 0)))
    if slope == 0 or np.float32(slope) == np.float32(0.01):
        return chain.activation(where, "leaky_relu" if slope else "relu")
    refuse(where, f"has the negative slope {slope:g}, but bpnet's leaky_relu has 0.01")


def _add_normalization(chain: Chain, where: str, layer: Any) -> None:
    """(x - mean) / max(deviation, epsilon), or its inverse."""
    if getattr(layer, "mean", None) is None:
        refuse(where, "has no mean and variance yet; call adapt and build first")
    mean, deviation = _numbers(layer.mean), np.maximum(np.sqrt(_numbers(layer.variance)), 1e-7)
    if getattr(layer, "invert", False):
        chain.affine(where, "multiply", deviation)
        chain.affine(where, "add", mean)
    else:
        chain.affine(where, "subtract", mean)
        chain.affine(where, "divide", deviation)


def _add_batch_normalization(chain: Chain, where: str, layer: Any) -> None:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, gamma and beta where there are."""
    weights = [w.astype(np.float64) for w in layer.get_weights()]
    if len(weights) < 2:
        refuse(where, "has no weights yet; call model.build or the model first")
    *learned, mean, variance = weights
    chain.affine(where, "subtract", mean)
    chain.affine(where, "divide", np.sqrt(variance + layer.epsilon))
    if layer.scale:
        chain.affine(where, "multiply", learned.pop(0))
    if layer.center:
        chain.affine(where, "add", learned.pop(0))


def _numbers(tensor: Any) -> Any:
    """A tensor of any backend as an array in float64."""
    for change in ("detach", "cpu"):  # PyTorch's
        tensor = getattr(tensor, change, lambda value=tensor: value)()
    return np.asarray(tensor, dtype=np.float64)
