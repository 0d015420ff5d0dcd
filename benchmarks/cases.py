"""What is measured: networks, batches, and the numbers they start from."""

from dataclasses import dataclass

import numpy as np

LEARNING_RATE = {"adam": 1e-3, "sgd": 0.1}


@dataclass(frozen=True)
class Case:
    """A network with one activation everywhere, trained on the quadratic cost or asked for predictions."""

    sizes: tuple[int, ...]
    batch: int
    activation: str = "sigmoid"
    optimizer: str = "adam"
    minibatches: int = 1  # an epoch of training; what is timed is a step
    quick: bool = True  # whether --quick runs it
    rare: bool = False  # each input is zero but in one minibatch, as most words are in most texts

    @property
    def name(self) -> str:
        extras = [self.activation] * (self.activation != "sigmoid") + [self.optimizer.upper()] * (
            self.optimizer != "adam"
        )
        extras += ["rare inputs"] * self.rare
        return ", ".join(["-".join(map(str, self.sizes)), f"{self.batch:,}".replace(",", " "), *extras])


@dataclass(frozen=True)
class Work:
    """A step of "training" or a "prediction" of a case: what one row of a table measures."""

    kind: str
    case: Case
    label: str = ""  # of the row, where the case's name would not do
    threads: int = 1

    @property
    def name(self) -> str:
        return self.label or self.case.name

    @property
    def flops(self) -> int:
        """Products alone, activations and the optimizer left out."""
        products = [n_in * n_out for n_in, n_out in zip(self.case.sizes, self.case.sizes[1:], strict=False)]
        once = 2 * self.case.batch
        return once * (3 * sum(products) - products[0] if self.kind == "training" else sum(products))


TRAINING = (
    Case((2, 16, 1), 32, minibatches=64),
    Case((784, 30, 10), 10, minibatches=64),
    Case((784, 30, 10), 10, minibatches=64, optimizer="sgd"),
    Case((64, 64, 64, 10), 64, minibatches=32),
    Case((10, 50, 50, 1), 256, minibatches=16),
    Case((4, 32, 16, 4), 10_000, activation="tanh"),
    Case((784, 512, 512, 10), 128, minibatches=4),
    Case((1024, 2048, 2048, 1024), 512, minibatches=4, quick=False),
)

# An epoch is longer than a moment takes to fade, by a factor of 0.9 a step, into the subnormal numbers.
RARE = (Case((784, 30, 10), 10, minibatches=2000, quick=False, rare=True),)

PREDICTION = (
    Case((2, 16, 1), 1),
    Case((10, 50, 50, 1), 1),
    Case((64, 64, 64, 10), 1),
    Case((784, 512, 512, 10), 1),
    Case((10, 50, 50, 1), 1000),
    Case((64, 64, 64, 10), 1000),
    Case((784, 512, 512, 10), 1000, quick=False),
)


class Problem:
    """The same data and start weights for everybody.

    x (samples, n_0), y (samples, n_L): all minibatches, one after the other. weights[l-1] (n_l, n_(l-1)), biases[l-1].
    """

    def __init__(self, case: Case, dtype: str) -> None:
        rng = np.random.default_rng(1)
        samples = case.batch * case.minibatches
        self.x = rng.uniform(0, 1, (samples, case.sizes[0])).astype(dtype)
        if case.rare:
            shown_in = rng.integers(case.minibatches, size=case.sizes[0])
            self.x[np.arange(samples)[:, None] // case.batch != shown_in] = 0
        self.y = rng.uniform(0.1, 0.9, (samples, case.sizes[-1])).astype(dtype)
        self.weights, self.biases = [], []
        for n_in, n_out in zip(case.sizes, case.sizes[1:], strict=False):
            reach = (6 / (n_in + n_out)) ** 0.5
            self.weights.append(rng.uniform(-reach, reach, (n_out, n_in)).astype(dtype))
            self.biases.append(np.zeros(n_out, dtype))

    def batches(self, case: Case) -> list[tuple[np.ndarray, np.ndarray]]:
        """Minibatches (x, y), as views."""
        starts = range(0, len(self.x), case.batch)
        return [(self.x[k : k + case.batch], self.y[k : k + case.batch]) for k in starts]
