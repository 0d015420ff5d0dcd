"""Learning rates that change with the step t = 0, 1, 2, ... of the trainer."""

from __future__ import annotations

from ._options import Options, real, whole


class Schedule(Options):
    """Base of the learning-rate schedules."""

    __slots__ = ()

    def _native(self) -> tuple[str, float, float, float]:
        """What the core takes: the kind and its three numbers."""
        raise NotImplementedError


class ExponentialDecay(Schedule):
    """eta(t) = initial * rate^(t / steps).

    Parameters
    ----------
    initial : float
        The learning rate of the first step, >= 0.
    rate : float
        The factor that `steps` steps make together, > 0.
    steps : int
        The number of steps that `rate` takes, >= 1.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.SGD(learning_rate=bpnet.ExponentialDecay(initial=0.1, rate=0.5, steps=1000))
    bpnet.SGD(learning_rate=bpnet.ExponentialDecay(initial=0.1, rate=0.5, steps=1000), momentum=0.0, nesterov=False)
    """

    __slots__ = ("initial", "rate", "steps")
    initial: float
    rate: float
    steps: int

    def __init__(self, *, initial: float, rate: float, steps: int) -> None:
        self._set(
            initial=real("initial", initial, at_least=0),
            rate=real("rate", rate, above=0),
            steps=whole("steps", steps, at_least=1),
        )

    def _native(self) -> tuple[str, float, float, float]:
        return "exponential", self.initial, self.rate, float(self.steps)


class StepDecay(Schedule):
    """eta(t) = initial * factor^floor(t / steps).

    Parameters
    ----------
    initial : float
        The learning rate of the first step, >= 0.
    factor : float
        What the learning rate is multiplied by after every `steps` steps, > 0.
    steps : int
        The length of one stair, >= 1.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.StepDecay(initial=0.1, factor=0.5, steps=100).factor
    0.5
    """

    __slots__ = ("initial", "factor", "steps")
    initial: float
    factor: float
    steps: int

    def __init__(self, *, initial: float, factor: float, steps: int) -> None:
        self._set(
            initial=real("initial", initial, at_least=0),
            factor=real("factor", factor, above=0),
            steps=whole("steps", steps, at_least=1),
        )

    def _native(self) -> tuple[str, float, float, float]:
        return "step", self.initial, self.factor, float(self.steps)


class CosineDecay(Schedule):
    """eta(t) = final + (initial - final) (1 + cos(pi min(t / steps, 1))) / 2.

    Parameters
    ----------
    initial, final : float
        The learning rate of the first step and of step `steps` and every later one, both >= 0.
    steps : int
        The number of steps from one to the other, >= 1.

    References
    ----------
    Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017 (without restarts).

    Examples
    --------
    >>> import bpnet
    >>> bpnet.Adam(learning_rate=bpnet.CosineDecay(initial=0.01, steps=2000)).learning_rate
    bpnet.CosineDecay(initial=0.01, final=0.0, steps=2000)
    """

    __slots__ = ("initial", "final", "steps")
    initial: float
    final: float
    steps: int

    def __init__(self, *, initial: float, final: float = 0.0, steps: int) -> None:
        self._set(
            initial=real("initial", initial, at_least=0),
            final=real("final", final, at_least=0),
            steps=whole("steps", steps, at_least=1),
        )

    def _native(self) -> tuple[str, float, float, float]:
        return "cosine", self.initial, self.final, float(self.steps)
