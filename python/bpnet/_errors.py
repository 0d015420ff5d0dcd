"""The exceptions and the warning that are bpnet's own."""

from __future__ import annotations


class DivergenceError(ArithmeticError):
    """The cost or a parameter is no longer finite.

    After `fit` the network is as it was after the last epoch whose parameters were finite, after `Trainer.step` as
    before that step.

    Parameters
    ----------
    message : str
        What stopped being finite.
    epoch, step : int, optional
        Where it was noticed, both counted from 0 over the life of the trainer; `epoch` is None for a single step, in
        `fit_batches` that of the call.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> net = bpnet.Network([1, 1], output_activation="identity", seed=0)
    >>> x = np.linspace(-9, 9, 64, dtype=np.float32)[:, None]
    >>> try:
    ...     net.fit(x, x, optimizer=bpnet.SGD(learning_rate=10.0), epochs=100)
    ... except bpnet.DivergenceError:
    ...     print(np.isfinite(net.parameters).all())
    True
    """

    epoch: int | None
    step: int | None

    def __init__(self, message: str = "", epoch: int | None = None, step: int | None = None) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.step = step


class ModelFileError(ValueError):
    """The file (or the bytes) holds no bpnet model, a damaged one, or one that a newer bpnet wrote."""


class TargetRangeWarning(UserWarning):
    """Targets lie where the output activation cannot reach, so the cost cannot become small."""
