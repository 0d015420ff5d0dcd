"""Networks from and to PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._architecture import FLOAT64
from .._network import Network
from .._options import wrong_type
from ._chain import Chain, refuse
from ._require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_INSTALL = "torch"

# Modules without numbers of their own that are an activation of bpnet.
_PLAIN = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "ReLU": "relu",
    "SELU": "selu",
    "Softsign": "softsign",
    "SiLU": "silu",
    "Mish": "mish",
    "Hardsigmoid": "hard_sigmoid",
    "Sine": "sine",
    "Gaussian": "gaussian",
    "Exponential": "exponential",
}
# Those that are one for certain values of their attributes: name and what each attribute may be.
_CONDITIONAL: dict[str, tuple[str, dict[str, tuple[Any, ...]]]] = {
    "LeakyReLU": ("leaky_relu", {"negative_slope": (0.01,)}),
    "ELU": ("elu", {"alpha": (1,)}),
    "GELU": ("gelu", {"approximate": ("none",)}),
    "Hardtanh": ("hard_tanh", {"min_val": (-1,), "max_val": (1,)}),
    "Softplus": ("softplus", {"beta": (1,)}),  # and a threshold, see _softplus
    "Softmax": ("softmax", {"dim": (-1, 1)}),
}
_NOTHING = {"Identity", "Dropout", "AlphaDropout", "FeatureAlphaDropout"}  # do nothing in a prediction
_HINTS = {
    "LogSoftmax": "; bpnet gives probabilities: put Softmax(dim=-1) in its place",
    "ReLU6": "; the nearest is ReLU",
    "Hardswish": "; the nearest is SiLU",
    "LazyLinear": "; call the model once, so that it learns its sizes",
}
_THRESHOLD = 20  # torch's default: past it softplus(z) is taken to be z, 2e-9 too little at most


def from_torch(model: Any) -> Network:
    """The network that computes what a `torch.nn.Sequential` computes after `model.eval()`.

    Parameters
    ----------
    model : torch.nn.Sequential
        Linear layers (or a single `nn.Linear`), each followed by at most one activation; two in a row have the
        identity between them. Sequentials may be nested. Understood are Sigmoid, Tanh, ReLU, LeakyReLU(0.01),
        ELU(1), SELU, Softplus(beta=1, threshold >= 20), Softsign, GELU(approximate="none"), SiLU, Mish, Hardsigmoid,
        Hardtanh(-1, 1), Softmax(dim=-1 or 1) and what `to_torch` makes. Identity and dropouts do nothing;
        Flatten() says that x is to be passed as (m, n_0). BatchNorm1d, with the statistics it has gathered, becomes
        input or output normalisation at the ends and is folded into weights and biases elsewhere.

    Returns
    -------
    Network
        float32 or float64 as the model is, with copies of its weights. Its `seed` is 0.

    Raises
    ------
    TypeError
        Where `model` is no Sequential.
    ValueError
        Where a module is not understood; the message gives its place and its class.
    ImportError
        Where torch is missing.

    Notes
    -----
    PyTorch's Softplus gives z where z > threshold, bpnet's log(1 + e^z) to the last digit: in float64 they differ by
    e^-20 = 2e-9 at most.

    Examples
    --------
    >>> import bpnet, torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> bpnet.from_torch(model)
    bpnet.Network([3, 8, 1], activation='tanh', output_activation='identity', dtype='float32')
    """
    torch = require("torch", _INSTALL)
    if not isinstance(model, torch.nn.Linear) and not _is_sequential(model, torch):
        wrong_type("model", model, "a torch.nn.Sequential of its layers (or exported, for bpnet.onnx.load)")
    chain = Chain()
    for where, module in _modules(model, torch):
        _add(chain, where, module, torch)
    return chain.network()


def to_torch(net: Network) -> Any:
    """A `torch.nn.Sequential` that computes what `net` computes.

    Parameters
    ----------
    net : Network
        With any activations.

    Returns
    -------
    torch.nn.Sequential
        On the CPU, in the network's dtype, with copies of its weights; `from_torch` takes it back unchanged. sine,
        gaussian and exponential, which PyTorch has no modules for, and the normalisation (a module
        `Standardize(shift, scale)` at the front, `Rescale(scale, shift)` at the end) are small modules of bpnet's own,
        so a whole model that was pickled with them needs bpnet to be loaded.

    Raises
    ------
    ImportError
        Where torch is missing.

    Examples
    --------
    >>> import bpnet, torch
    >>> net = bpnet.Network([3, 8, 1], activation="silu", output_activation="identity", seed=0)
    >>> bpnet.to_torch(net)
    Sequential(
      (0): Linear(in_features=3, out_features=8, bias=True)
      (1): SiLU()
      (2): Linear(in_features=8, out_features=1, bias=True)
    )
    """
    torch = require("torch", _INSTALL)
    if not isinstance(net, Network):
        wrong_type("net", net, "a bpnet.Network")
    from ._torch_modules import Rescale, Standardize

    modules: list[Any] = []
    if net.input_shift is not None:
        modules.append(Standardize(net.input_shift, net.input_scale))
    net = net.copy()  # which nobody trains meanwhile
    for W, b, name in zip(net.weights, net.biases, net.activations, strict=True):
        modules.append(_linear(W, b, torch))
        if name != "identity":
            modules.append(_activation(name, net.dtype, torch.nn))
    if net.output_shift is not None:
        modules.append(Rescale(net.output_scale, net.output_shift))
    return torch.nn.Sequential(*modules)


# ---- from torch


def _is_sequential(module: Any, torch: Any) -> bool:
    """Whether it is one, and does with its modules what a Sequential does."""
    kind = torch.nn.Sequential
    return isinstance(module, kind) and type(module).forward is kind.forward


def _modules(model: Any, torch: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(where, module) of all that is no Sequential, in order; a module that stands twice comes twice."""
    if not _is_sequential(model, torch):
        yield f"{path or 'the model'} ({type(model).__name__})", model
        return
    _refuse_changes(f"module {path} (Sequential)" if path else "the model", model, torch)
    for name, module in model._modules.items():
        yield from _modules(module, torch, f"{path}.{name}" if path else f"module {name}")


def _refuse_changes(where: str, module: Any, torch: Any) -> None:
    """Refuses what may make a module compute something else than its class does."""
    if type(module).__name__ != "LazyLinear" and (module._forward_hooks or module._forward_pre_hooks):  # it has its own
        refuse(where, "has forward hooks, which may change what it computes; remove them first")
    if "forward" in module.__dict__ or type(module).__call__ is not torch.nn.Module.__call__:
        refuse(where, "has a forward or a __call__ of its own, which may change what it computes")


def _add(chain: Chain, where: str, module: Any, torch: Any) -> None:
    kind = _kind(module, torch)
    _refuse_changes(where, module, torch)
    if kind == "Linear":
        chain.dense(where, _array(where, module.weight), _array(where, module.bias))
    elif kind == "BatchNorm1d":
        _add_batch_norm(chain, where, module)
    elif kind == "Standardize":
        chain.affine(where, "subtract", _array(where, module.shift))
        chain.affine(where, "divide", _array(where, module.scale))
    elif kind == "Rescale":
        chain.affine(where, "multiply", _array(where, module.scale))
        chain.affine(where, "add", _array(where, module.shift))
    elif kind == "Flatten":
        if (module.start_dim, module.end_dim) not in ((1, -1), (1, 1)):
            refuse(
                where, f"flattens from {module.start_dim} to {module.end_dim}, but only Flatten(1, -1) is understood"
            )
    elif kind in _PLAIN:
        chain.activation(where, _PLAIN[kind])
    elif kind in _CONDITIONAL:
        chain.activation(where, _conditional(where, kind, module))
    elif kind not in _NOTHING:
        refuse(where, f"is not understood{_HINTS.get(type(module).__name__, '')}")


def _kind(module: Any, torch: Any) -> str | None:
    """The name of its class where that is one of torch's or ours; None for classes of others, which may do anything."""
    kind = type(module)
    if torch.nn.utils.parametrize.is_parametrized(module):  # a class made on the fly, with the true one below it
        kind = kind.__mro__[1]
    return kind.__name__ if kind.__module__.startswith(("torch.nn.modules.", "bpnet.")) else None


def _conditional(where: str, kind: str, module: Any) -> str:
    name, expected = _CONDITIONAL[kind]
    for attribute, allowed in expected.items():
        value = getattr(module, attribute)
        if value not in allowed:
            refuse(where, f"has {attribute} {value!r}, but bpnet's {name} has {' or '.join(map(repr, allowed))}")
    if kind == "Softplus" and module.threshold < _THRESHOLD:
        refuse(where, f"has threshold {module.threshold!r}, but must have {_THRESHOLD} or more to be bpnet's softplus")
    return name


def _add_batch_norm(chain: Chain, where: str, module: Any) -> None:
    """(x - mean) / sqrt(variance + eps) * weight + bias."""
    if module.running_mean is None:
        refuse(where, "keeps no running statistics, so it has no meaning for a single sample")
    variance = _array(where, module.running_var).astype(np.float64)
    chain.affine(where, "subtract", _array(where, module.running_mean))
    chain.affine(where, "divide", np.sqrt(variance + module.eps))
    if module.weight is not None:
        chain.affine(where, "multiply", _array(where, module.weight))
    if module.bias is not None:
        chain.affine(where, "add", _array(where, module.bias))


def _array(where: str, tensor: Any) -> Any:
    """The tensor as an array, where it can be without a copy; None stays."""
    if tensor is None:
        return None
    if tensor.is_meta:
        refuse(where, "is on the device 'meta' and has no numbers")
    if str(tensor.dtype) not in ("torch.float32", "torch.float64"):
        refuse(where, f"is of {tensor.dtype}; bpnet has float32 and float64: call model.float() or model.double()")
    return tensor.detach().cpu().numpy()


# ---- to torch


def _linear(W: NDArray[Any], b: NDArray[Any], torch: Any) -> Any:
    n_out, n_in = W.shape
    dtype = getattr(torch, W.dtype.name)
    # skip_init: torch's generator of random numbers stays where it is
    linear = torch.nn.utils.skip_init(torch.nn.Linear, n_in, n_out, dtype=dtype, device="cpu")
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(W))
        linear.bias.copy_(torch.from_numpy(b))
    return linear


def _activation(name: str, dtype: np.dtype[Any], nn: Any) -> Any:
    from . import _torch_modules as ours

    if name == "softmax":
        return nn.Softmax(dim=-1)
    if name == "softplus":  # z in place of log(1 + e^z) loses nothing once e^-z < eps z
        return nn.Softplus(threshold=40 if dtype == FLOAT64 else _THRESHOLD)
    if name in _OWN:
        return getattr(ours, _OWN[name])()
    return getattr(nn, _THEIRS[name])()


_OWN = {name: kind for kind, name in _PLAIN.items() if kind in ("Sine", "Gaussian", "Exponential")}
_THEIRS = {name: kind for kind, name in _PLAIN.items()} | {name: kind for kind, (name, _) in _CONDITIONAL.items()}
