"""JAX with all steps of a call compiled into one loop."""

import jax
import jax.numpy as jnp

from ..cases import Case, Problem
from . import jax_step

NAME = "JAX, compiled loop"


class Training(jax_step.Training):
    def __init__(self, case: Case, problem: Problem) -> None:
        super().__init__(case, problem)
        step = self.step.__wrapped__
        self.data = tuple(jnp.stack(arrays) for arrays in zip(*self.batches, strict=True))

        def loop(state, data, epochs):
            def body(k, state):
                x, y = (jax.lax.dynamic_index_in_dim(a, k % case.minibatches, keepdims=False) for a in data)
                return step(state, x, y)

            return jax.lax.fori_loop(0, epochs * case.minibatches, body, state)

        self.loop = jax.jit(loop, donate_argnums=0)

    def run(self, epochs: int) -> None:
        self.state = jax.block_until_ready(self.loop(self.state, self.data, epochs))
