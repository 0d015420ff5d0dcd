"""What a fit tells about itself."""

from __future__ import annotations


class History:
    """The course of one `fit`.

    Attributes
    ----------
    cost : list of float
        One number an epoch: the mean over its samples, each taken before the update of its minibatch; penalties are
        left out.
    validation_cost : list of float
        One number an epoch, after it; empty without validation.
    seconds : float
        How long the fit took (in a callback: so far).
    steps : int
        How many minibatches it made (in a callback: so far).
    stopped_by : str
        "epochs" or "callback"; empty while the fit runs.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> net = bpnet.Network([2, 1], seed=0)
    >>> history = net.fit(np.ones((10, 2)), np.ones(10), epochs=3, batch_size=5)
    >>> len(history.cost), history.steps, history.stopped_by
    (3, 6, 'epochs')
    """

    __slots__ = ("cost", "seconds", "steps", "stopped_by", "validation_cost")

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.validation_cost: list[float] = []
        self.seconds = 0.0
        self.steps = 0
        self.stopped_by = ""

    def __repr__(self) -> str:
        costs = [
            f"{name}={values[0]:.4g}..{values[-1]:.4g}"
            for name, values in (("cost", self.cost), ("validation_cost", self.validation_cost))
            if values
        ]
        parts = [f"epochs={len(self.cost)}", *costs, f"steps={self.steps}", f"seconds={self.seconds:.3g}"]
        return f"bpnet.History({', '.join(parts)}, stopped_by={self.stopped_by!r})"
