"""The equations in NumPy, written by hand. In float64 it is also the reference that all others are compared with."""

import numpy as np

from ..cases import LEARNING_RATE, Case, Problem

NAME = "NumPy"

VALUE = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
}
SLOPE_OF_VALUE = {
    "identity": lambda a: 1,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
}


class Training:
    def __init__(self, case: Case, problem: Problem, output: str | None = None) -> None:
        self.case, self.batches = case, problem.batches(case)
        self.weights = [W.copy() for W in problem.weights]
        self.biases = [b.copy() for b in problem.biases]
        self.activations = [case.activation] * (len(self.weights) - 1) + [output or case.activation]
        self.first = [np.zeros_like(p) for p in self.parameters()]
        self.second = [np.zeros_like(p) for p in self.parameters()]
        self.steps = 0

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            for x, y in self.batches:
                self.update(self.gradient(x, y))

    def gradient(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        a = [x]
        for W, b, f in zip(self.weights, self.biases, self.activations, strict=True):
            a.append(VALUE[f](a[-1] @ W.T + b))  # (F1), (F2)
        delta = (a[-1] - y) / len(x) * SLOPE_OF_VALUE[self.activations[-1]](a[-1])  # (BP1)
        gradients = []
        for l in range(len(self.weights), 0, -1):
            gradients += [delta.sum(axis=0), delta.T @ a[l - 1]]  # (BP4), (BP3)
            if l > 1:
                delta = delta @ self.weights[l - 1] * SLOPE_OF_VALUE[self.activations[l - 2]](a[l - 1])  # (BP2)
        return gradients[::-1]

    def update(self, gradients: list[np.ndarray]) -> None:
        self.steps += 1
        eta = LEARNING_RATE[self.case.optimizer]
        root = (1 - 0.999**self.steps) ** 0.5
        for p, g, m, v in zip(self.parameters(), gradients, self.first, self.second, strict=True):
            if self.case.optimizer == "sgd":  # (O1)
                p -= eta * g
                continue
            m += 0.1 * (g - m)  # (O3)
            v += 0.001 * (g * g - v)
            p -= eta / (1 - 0.9**self.steps) * m / (np.sqrt(v) / root + 1e-8)

    def parameters(self) -> list[np.ndarray]:
        return [array for layer in zip(self.weights, self.biases, strict=True) for array in layer]


class Prediction:
    def __init__(self, case: Case, problem: Problem) -> None:
        self.f = VALUE[case.activation]
        self.x = problem.x[: case.batch]
        self.layers = [(W.T, b) for W, b in zip(problem.weights, problem.biases, strict=True)]

    def run(self, calls: int) -> None:
        for _ in range(calls):
            a = self.x
            for W, b in self.layers:
                a = self.f(a @ W + b)
        self.last = a

    def outputs(self) -> np.ndarray:
        return self.last
