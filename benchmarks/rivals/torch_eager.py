"""PyTorch as most people write it, with its fused optimizers."""

import numpy as np
import torch

from ..cases import LEARNING_RATE, Case, Problem

NAME = "PyTorch"
THREADS = True
ACTIVATIONS = {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}
torch.set_num_threads(1)


def network(case: Case, problem: Problem) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for W, b in zip(problem.weights, problem.biases, strict=True):
        layer = torch.nn.Linear(W.shape[1], W.shape[0], dtype=torch.from_numpy(W).dtype)
        layer.weight.data.copy_(torch.from_numpy(W))
        layer.bias.data.copy_(torch.from_numpy(b))
        layers += [layer, ACTIVATIONS[case.activation]()]
    return torch.nn.Sequential(*layers)


def on_threads(n: int) -> None:
    if torch.get_num_threads() != n:
        torch.set_num_threads(n)


class Training:
    def __init__(self, case: Case, problem: Problem, threads: int = 1) -> None:
        self.threads = threads
        self.net = network(case, problem)
        self.cost = lambda x, y: 0.5 * (self.net(x) - y).square().sum() / len(x)
        rule = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[case.optimizer]
        self.optimizer = rule(self.net.parameters(), lr=LEARNING_RATE[case.optimizer], fused=True)
        self.batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in problem.batches(case)]

    def run(self, epochs: int) -> None:
        on_threads(self.threads)
        for _ in range(epochs):
            for x, y in self.batches:
                self.optimizer.zero_grad()
                self.cost(x, y).backward()
                self.optimizer.step()

    def parameters(self) -> list[np.ndarray]:
        return [p.detach().numpy() for p in self.net.parameters()]


class Prediction:
    def __init__(self, case: Case, problem: Problem) -> None:
        self.net = network(case, problem)
        self.x = problem.x[: case.batch]

    @torch.inference_mode()
    def run(self, calls: int) -> None:
        on_threads(1)
        for _ in range(calls):
            self.last = self.net(torch.from_numpy(self.x)).numpy()

    def outputs(self) -> np.ndarray:
        return self.last
