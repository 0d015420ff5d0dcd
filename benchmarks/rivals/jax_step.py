"""JAX with the whole step jitted: the gradient, the optimizer, its buffers given back."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ..cases import LEARNING_RATE, Case, Problem

NAME = "JAX, jitted step"
ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}


def forward(f, layers, x):
    for W, b in layers:
        x = f(x @ W.T + b)
    return x


def make_step(case: Case):
    """(state, x, y) -> state, where state is (step number, layers, m, v)."""
    f, eta = ACTIVATIONS[case.activation], LEARNING_RATE[case.optimizer]

    def cost(layers, x, y):
        return 0.5 * jnp.sum((forward(f, layers, x) - y) ** 2) / len(x)

    def step(state, x, y):
        t, layers, m, v = state
        g = jax.grad(cost)(layers, x, y)
        each = jax.tree.map
        if case.optimizer == "sgd":
            return t + 1, each(lambda p, g: p - eta * g, layers, g), m, v
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        time = (t + 1).astype(x.dtype)
        rate, root = eta / (1 - 0.9**time), jnp.sqrt(1 - 0.999**time)
        layers = each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-8), layers, m, v)
        return t + 1, layers, m, v

    return step


def start(case: Case, problem: Problem):
    # XLA may take a NumPy array as its own memory, and the step gives its buffers back: so, copies
    layers = [(jnp.array(W), jnp.array(b)) for W, b in zip(problem.weights, problem.biases, strict=True)]
    moments = layers if case.optimizer == "adam" else []
    return jnp.int32(0), layers, *(jax.tree.map(jnp.zeros_like, moments) for _ in range(2))


class Training:
    def __init__(self, case: Case, problem: Problem) -> None:
        self.state = start(case, problem)
        self.step = jax.jit(make_step(case), donate_argnums=0)
        self.batches = [(jnp.array(x), jnp.array(y)) for x, y in problem.batches(case)]

    def run(self, epochs: int) -> None:
        for _ in range(epochs):
            for x, y in self.batches:
                self.state = self.step(self.state, x, y)
        jax.block_until_ready(self.state)

    def parameters(self) -> list[np.ndarray]:
        return [np.asarray(p) for layer in self.state[1] for p in layer]


class Prediction:
    NAME = "JAX, jitted"

    def __init__(self, case: Case, problem: Problem) -> None:
        self.layers = start(case, problem)[1]
        self.x = problem.x[: case.batch]
        self.f = jax.jit(partial(forward, ACTIVATIONS[case.activation]))

    def run(self, calls: int) -> None:
        for _ in range(calls):
            self.last = np.asarray(self.f(self.layers, self.x))

    def outputs(self) -> np.ndarray:
        return self.last
