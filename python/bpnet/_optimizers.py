"""The optimizers by name, as objects, and how both become the core's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core
from ._options import Options, flag, is_number, real, unknown_name, wrong_type
from ._schedules import Schedule

if TYPE_CHECKING:
    from typing import TypeAlias

    OptimizerLike: TypeAlias = "str | Optimizer"


class Optimizer(Options):
    """Base of the optimizers."""

    __slots__ = ()

    def _native(self) -> _core.Optimizer:
        raise NotImplementedError


def _rate(learning_rate: float | Schedule) -> float | Schedule:
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if not is_number(learning_rate):
        wrong_type("learning_rate", learning_rate, "a number or a schedule such as bpnet.StepDecay")
    return real("learning_rate", learning_rate, at_least=0)


def _schedule(learning_rate: float | Schedule) -> tuple[str, float, float, float]:
    if isinstance(learning_rate, Schedule):
        return learning_rate._native()
    return "constant", learning_rate, 0.0, 0.0


class SGD(Optimizer):
    """Gradient descent, with momentum on request. (O1)

    v <- mu v + g, theta <- theta - eta v; with Nesterov theta <- theta - eta (g + mu v).

    Parameters
    ----------
    learning_rate : float or schedule
        eta >= 0.
    momentum : float
        mu, 0 <= mu < 1.
    nesterov : bool
        Looks ahead by one momentum step; needs momentum > 0.

    Raises
    ------
    TypeError, ValueError
        Where an option is not what it should be.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.SGD(learning_rate=3.0)
    bpnet.SGD(learning_rate=3.0, momentum=0.0, nesterov=False)
    """

    __slots__ = ("learning_rate", "momentum", "nesterov")
    learning_rate: float | Schedule
    momentum: float
    nesterov: bool

    def __init__(
        self, *, learning_rate: float | Schedule = 1e-3, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        self._set(
            learning_rate=_rate(learning_rate),
            momentum=real("momentum", momentum, at_least=0, below=1),
            nesterov=flag("nesterov", nesterov),
        )
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov is True, but momentum is 0: give a momentum between 0 and 1")

    def _native(self) -> _core.Optimizer:
        return _core.Optimizer("sgd", _schedule(self.learning_rate), momentum=self.momentum, nesterov=self.nesterov)


class RMSProp(Optimizer):
    """Steps divided by the root of a running mean square. (O2)

    s <- rho s + (1 - rho) g^2, theta <- theta - eta g / (sqrt(s) + eps).

    Parameters
    ----------
    learning_rate : float or schedule
        eta >= 0.
    rho : float
        Decay of the running mean, 0 <= rho < 1.
    eps : float
        Keeps the division safe, > 0.

    Raises
    ------
    TypeError, ValueError
        Where an option is not what it should be.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.RMSProp(rho=0.9)
    bpnet.RMSProp(learning_rate=0.01, rho=0.9, eps=1e-08)
    """

    __slots__ = ("learning_rate", "rho", "eps")
    learning_rate: float | Schedule
    rho: float
    eps: float

    def __init__(self, *, learning_rate: float | Schedule = 0.01, rho: float = 0.99, eps: float = 1e-8) -> None:
        self._set(
            learning_rate=_rate(learning_rate),
            rho=real("rho", rho, at_least=0, below=1),
            eps=real("eps", eps, above=0),
        )

    def _native(self) -> _core.Optimizer:
        return _core.Optimizer("rmsprop", _schedule(self.learning_rate), decay1=self.rho, eps=self.eps)


class Adam(Optimizer):
    """Adaptive moments with bias correction. (O3)

    theta <- theta - eta m^ / (sqrt(v^) + eps), m^ and v^ the bias-corrected running means of g and g^2.

    Parameters
    ----------
    learning_rate : float or schedule
        eta >= 0.
    beta1, beta2 : float
        Decays of the two running means, 0 <= beta < 1.
    eps : float
        Keeps the division safe, > 0.

    Raises
    ------
    TypeError, ValueError
        Where an option is not what it should be.

    References
    ----------
    Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.Adam(learning_rate=0.01) == bpnet.Adam(learning_rate=1e-2)
    True
    """

    __slots__ = ("learning_rate", "beta1", "beta2", "eps")
    learning_rate: float | Schedule
    beta1: float
    beta2: float
    eps: float

    def __init__(
        self,
        *,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
    ) -> None:
        self._set(
            learning_rate=_rate(learning_rate),
            beta1=real("beta1", beta1, at_least=0, below=1),
            beta2=real("beta2", beta2, at_least=0, below=1),
            eps=real("eps", eps, above=0),
        )

    def _native(self) -> _core.Optimizer:
        rate = _schedule(self.learning_rate)
        return _core.Optimizer("adam", rate, decay1=self.beta1, decay2=self.beta2, eps=self.eps)


class AdamW(Optimizer):
    """Adam with decoupled weight decay. (O4)

    theta <- theta - eta lambda theta first, then Adam's step (O3).

    Parameters
    ----------
    learning_rate : float or schedule
        eta >= 0.
    beta1, beta2 : float
        Decays of the two running means, 0 <= beta < 1.
    eps : float
        Keeps the division safe, > 0.
    weight_decay : float
        lambda >= 0.
    decay_biases : bool
        Whether biases decay too.

    Raises
    ------
    TypeError, ValueError
        Where an option is not what it should be.

    References
    ----------
    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.AdamW(weight_decay=0.1).weight_decay
    0.1
    """

    __slots__ = (
        "learning_rate",
        "beta1",
        "beta2",
        "eps",
        "weight_decay",
        "decay_biases",
    )
    learning_rate: float | Schedule
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    decay_biases: bool

    def __init__(
        self,
        *,
        learning_rate: float | Schedule = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        decay_biases: bool = True,
    ) -> None:
        self._set(
            learning_rate=_rate(learning_rate),
            beta1=real("beta1", beta1, at_least=0, below=1),
            beta2=real("beta2", beta2, at_least=0, below=1),
            eps=real("eps", eps, above=0),
            weight_decay=real("weight_decay", weight_decay, at_least=0),
            decay_biases=flag("decay_biases", decay_biases),
        )

    def _native(self) -> _core.Optimizer:
        return _core.Optimizer(
            "adamw",
            _schedule(self.learning_rate),
            decay1=self.beta1,
            decay2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decay_biases=self.decay_biases,
        )


_BY_NAME: dict[str, type[Optimizer]] = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW}


def resolve_optimizer(optimizer: OptimizerLike) -> Optimizer:
    """The optimizer that a name or an object stands for."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str):
        if optimizer not in _BY_NAME:
            unknown_name("optimizer", optimizer, _BY_NAME)
        return _BY_NAME[optimizer]()
    wrong_type("optimizer", optimizer, 'a name or an object such as "adam" or bpnet.Adam()')
