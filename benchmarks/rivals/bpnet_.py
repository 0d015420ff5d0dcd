"""bpnet itself: steps through `fit`, predictions through `predict(x, out=out)`."""

from functools import partial

import bpnet
import numpy as np

from ..cases import LEARNING_RATE, Case, Problem

NAME = "bpnet"
THREADS = True


def network(case: Case, problem: Problem) -> bpnet.Network:
    net = bpnet.Network(case.sizes, case.activation, case.activation, "zeros", problem.x.dtype, seed=0)
    for mine, theirs in zip(net.weights + net.biases, problem.weights + problem.biases, strict=True):
        mine[...] = theirs
    return net


class Training:
    def __init__(self, case: Case, problem: Problem, threads: int = 1) -> None:
        self.case, self.problem = case, problem
        self.net = network(case, problem)
        rule = {"adam": bpnet.Adam, "sgd": bpnet.SGD}[case.optimizer](learning_rate=LEARNING_RATE[case.optimizer])
        self.trainer = bpnet.Trainer(self.net, optimizer=rule, threads=threads)

    def run(self, epochs: int) -> None:
        self.trainer.fit(self.problem.x, self.problem.y, epochs=epochs, batch_size=self.case.batch, shuffle=False)

    def parameters(self) -> list[np.ndarray]:
        return [array for layer in zip(self.net.weights, self.net.biases, strict=True) for array in layer]


class Prediction:
    def __init__(self, case: Case, problem: Problem, threads: int | None = None) -> None:
        predict = network(case, problem).predict
        self.predict = partial(predict, threads=threads) if threads else predict
        self.x = problem.x[0] if case.batch == 1 else problem.x[: case.batch]
        self.out = np.empty((*self.x.shape[:-1], case.sizes[-1]), self.x.dtype)

    def run(self, calls: int) -> None:
        predict, x, out = self.predict, self.x, self.out
        for _ in range(calls):
            predict(x, out)

    def outputs(self) -> np.ndarray:
        return np.atleast_2d(self.out)
