"""Train, run and differentiate dense feed-forward networks on the CPU, exactly and fast.

>>> import bpnet, numpy as np
>>> net = bpnet.Network([2, 16, 1], activation="tanh", output_activation="identity", seed=0)
>>> x = np.random.default_rng(0).uniform(-1, 1, (1000, 2))
>>> history = net.fit(x, x[:, 0] * x[:, 1], epochs=50)
>>> history.cost[-1] < 0.01
True
"""

from typing import TYPE_CHECKING, Any

from ._cmake import get_cmake_dir
from ._config import get_config, show_config
from ._core import __version__
from ._costs import Absolute, BinaryCrossEntropy, CrossEntropy, Huber, LogCosh, Poisson, Quadratic, Quantile
from ._errors import DivergenceError, ModelFileError, TargetRangeWarning
from ._gradient import Activations, Gradient
from ._history import History
from ._initializers import Constant, Normal, Orthogonal, Uniform
from ._network import Network
from ._optimizers import SGD, Adam, AdamW, RMSProp
from ._schedules import CosineDecay, ExponentialDecay, StepDecay
from ._serialization import load
from ._trainer import Trainer

if TYPE_CHECKING:
    from . import onnx as onnx
    from .interop._keras import from_keras
    from .interop._sklearn import from_sklearn
    from .interop._torch import from_torch, to_torch

__all__ = [
    "SGD",
    "Absolute",
    "Activations",
    "Adam",
    "AdamW",
    "BinaryCrossEntropy",
    "Constant",
    "CosineDecay",
    "CrossEntropy",
    "DivergenceError",
    "ExponentialDecay",
    "Gradient",
    "History",
    "Huber",
    "LogCosh",
    "ModelFileError",
    "Network",
    "Normal",
    "Orthogonal",
    "Poisson",
    "Quadratic",
    "Quantile",
    "RMSProp",
    "StepDecay",
    "TargetRangeWarning",
    "Trainer",
    "Uniform",
    "__version__",
    "from_keras",
    "from_sklearn",
    "from_torch",
    "get_cmake_dir",
    "get_config",
    "load",
    "show_config",
    "to_torch",
]

# Imported on first use: what works with other libraries.
_LATER = {
    "from_keras": ".interop._keras",
    "from_sklearn": ".interop._sklearn",
    "from_torch": ".interop._torch",
    "onnx": ".onnx",
    "to_torch": ".interop._torch",
}


for _name in __all__:  # where they were written is nobody's business: reprs, pickles and errors say bpnet
    if _name != "__version__" and _name not in _LATER:
        globals()[_name].__module__ = "bpnet"
del _name


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'bpnet' has no attribute {name!r}")
    import importlib

    thing = module = importlib.import_module(_LATER[name], __name__)
    if name != "onnx":
        thing = getattr(module, name)
        thing.__module__ = "bpnet"
    globals()[name] = thing
    return thing


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
