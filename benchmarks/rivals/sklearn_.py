"""scikit-learn's MLPRegressor, an epoch at a time. Its output layer is linear, so it is spared one activation."""

import numpy as np
from sklearn.neural_network import MLPRegressor

from ..cases import LEARNING_RATE, Case, Problem

NAME = "scikit-learn"
OUTPUT = "identity"
TOLERANCE = 5e-3  # its Adam adds eps to the square root before the correction, the others after it


class Training:
    def __init__(self, case: Case, problem: Problem) -> None:
        self.x = problem.x
        self.y = problem.y if case.sizes[-1] > 1 else problem.y.ravel()
        self.net = MLPRegressor(
            hidden_layer_sizes=case.sizes[1:-1],
            activation={"sigmoid": "logistic"}.get(case.activation, case.activation),
            solver=case.optimizer,
            learning_rate_init=LEARNING_RATE[case.optimizer],
            momentum=0,
            nesterovs_momentum=False,
            alpha=0,
            batch_size=case.batch,
            shuffle=False,
        )
        self.net.partial_fit(self.x, self.y)  # makes the arrays ...
        for mine, theirs in zip(self.net.coefs_ + self.net.intercepts_, problem.weights + problem.biases, strict=True):
            mine[...] = theirs.T
        del self.net._optimizer  # ... and the next call a new optimizer

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            self.net.partial_fit(self.x, self.y)

    def parameters(self) -> list[np.ndarray]:
        layers = zip(self.net.coefs_, self.net.intercepts_, strict=True)
        return [array for W, b in layers for array in (W.T, b)]
