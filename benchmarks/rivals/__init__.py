"""One file a rival. Each has a `NAME` and what it can do:

Training(case, problem)    .run(epochs) trains on the problem's minibatches in order and returns when all is done;
                           .parameters() gives W^1, b^1, W^2, b^2, ... with W^l (n_l, n_(l-1))
Prediction(case, problem)  .run(calls) predicts the first batch so often, NumPy array in, NumPy array out;
                           .outputs() gives the last result

Where a rival has them: `OUTPUT`, the output activation that it is confined to; `TOLERANCE`, how far from the reference
its training may end, as a part of the way; `THREADS`, that Training takes `threads=`;
`NO_SWITCH`, that nothing holds it to AVX2.
"""

from importlib import import_module
from types import ModuleType

MODULES = (
    "bpnet_",
    "numpy_",
    "sklearn_",
    "torch_eager",
    "torch_compile",
    "jax_step",
    "jax_loop",
    "onnx_",
)
FROM_CPP = "cpp_"  # bpnet without Python, where --cpp compiles it
COMPILES_LONG = "torch_compile"


def load(names: tuple[str, ...] = MODULES) -> tuple[list[ModuleType], list[str]]:
    """The rivals that are installed, and a line about each that is not."""
    found, missing = [], []
    for name in names:
        try:
            found.append(import_module(f".{name}", __name__))
        except ModuleNotFoundError as error:
            missing.append(f"{name.strip('_')} is left out: {error.name} is not installed")
    return found, missing
