"""The compiled core: NumPy arrays in, NumPy arrays out. Words, defaults and explanations live beside it."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

__version__: str

def activation_names() -> list[str]: ...
def activation_range(name: str) -> tuple[float, float]: ...
def cost_names() -> list[str]: ...
def config() -> dict[str, Any]: ...
def default_threads() -> int: ...
def elementwise(name: str, z: NDArray[Any], slope: bool) -> NDArray[Any]:
    """One elementwise kernel (an activation, or exp, log, ...) over a flat array: what the accuracy tables measure."""

class Cost:
    """A cost by name with its parameter (delta of huber, q of quantile), or a Python callable."""

    def __init__(self, name: str, parameter: float = ...) -> None: ...
    @staticmethod
    def custom(function: Callable[[NDArray[Any], NDArray[Any]], tuple[ArrayLike, ArrayLike]]) -> Cost: ...

class Optimizer:
    """An optimizer by name ("sgd", "rmsprop", "adam", "adamw") with its numbers.

    The schedule is ("constant", initial, 0, 0), ("exponential", initial, rate, steps),
    ("step", initial, factor, steps) or ("cosine", initial, final, steps).
    """

    def __init__(
        self,
        name: str,
        schedule: tuple[str, float, float, float],
        momentum: float = ...,
        nesterov: bool = ...,
        decay1: float = ...,  # beta1 of Adam, rho of RMSProp
        decay2: float = ...,  # beta2 of Adam
        eps: float = ...,
        weight_decay: float = ...,
        decay_biases: bool = ...,
    ) -> None: ...

class Network:
    """Base of the two below."""

    sizes: list[int]
    activations: list[str]
    n_parameters: int

    def before_use(self, call: Callable[[], object] | None) -> None:
        """What this thread calls from now on whenever it is about to look at this network; one network a thread."""
    def initialize(
        self,
        # scheme and its numbers: ("normal", mean, std), ("uniform", low, high), ("orthogonal", gain, 0), ...
        weights: tuple[str, float, float],
        biases: tuple[str, float, float] | None,  # None: zeros, or what the weight scheme prescribes
        seed: int,  # 0 <= seed < 2**64
    ) -> None: ...
    @property
    def parameters(self) -> NDArray[Any]: ...  # flat, writable, no copy, keeps the network alive
    def copied_parameters(self) -> NDArray[Any]: ...  # RuntimeError while another thread trains the network
    @property
    def weights(self) -> list[NDArray[Any]]: ...  # F-ordered views of the same memory
    @property
    def biases(self) -> list[NDArray[Any]]: ...
    @property
    def normalization(self) -> dict[str, NDArray[Any] | None]:
        """Copies of input_shift, input_scale, output_shift, output_scale."""

    def set_normalization(
        self,
        input_shift: ArrayLike | None,
        input_scale: ArrayLike | None,
        output_shift: ArrayLike | None,
        output_scale: ArrayLike | None,
    ) -> None: ...
    def predict(self, x: Any, out: NDArray[Any] | None = ..., threads: int | None = ...) -> NDArray[Any]: ...
    def forward(self, x: Any, threads: int | None = ...) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]: ...  # z, a
    def cost(
        self, x: Any, y: Any, cost: Cost, sample_weight: Any | None, reduction: str, threads: int | None
    ) -> float: ...
    def gradient(
        self,
        x: Any,
        y: Any,
        cost: Cost,
        sample_weight: Any | None,
        wrt: int,  # 1 parameters, 2 x, 4 layers
        reduction: str,  # "mean" | "sum"
        threads: int | None,
    ) -> tuple[float, NDArray[Any] | None, NDArray[Any] | None, list[NDArray[Any]] | None, list[NDArray[Any]] | None]:
        """(cost, flat, x, deltas, activations); what was not asked for is None."""
    def targets_in_range(self, y: Any) -> bool:
        """Whether every target, standardised, lies within the output activation's range (NaN is ignored)."""
    def check_cost(self, cost: Cost) -> None:
        """ValueError where the cost does not fit the output activation."""

class Network32(Network):
    def __init__(self, sizes: Sequence[int], activations: Sequence[str]) -> None: ...

class Network64(Network):
    def __init__(self, sizes: Sequence[int], activations: Sequence[str]) -> None: ...

class Trainer:
    """Optimiser state, sample order and the loop. Holds the network it trains."""

    def __init__(
        self,
        net: Network,
        cost: Cost,
        optimizer: Optimizer,
        l1: float,
        l2: float,
        penalize_biases: bool,
        seed: int,
        threads: int | None,
    ) -> None: ...
    steps: int
    epochs: int
    def step(self, x: Any, y: Any, sample_weight: Any | None) -> float: ...
    def apply(self, flat: Any) -> None: ...
    def fit(
        self,
        x: Any,
        y: Any,
        epochs: int,
        batch_size: int,
        shuffle: bool,
        sample_weight: Any | None,
        validation: tuple[Any, Any, Any | None] | None,
        on_epoch: Callable[[int, float, float | None], bool] | None,  # (epoch, cost, validation cost); true stops
        on_progress: Callable[[int], None] | None,  # steps finished so far in this call, a few times a second
    ) -> tuple[list[float], list[float], int, bool]:
        """(cost an epoch, validation cost an epoch, steps, stopped by on_epoch)."""
