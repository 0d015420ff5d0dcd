"""How parameters start: names, the four schemes that have numbers, and how both become the core's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._options import Options, real, unknown_name, wrong_type

if TYPE_CHECKING:
    from typing import TypeAlias

    InitLike: TypeAlias = "str | Initializer"


class Initializer(Options):
    """Base of the initialisers that have numbers."""

    __slots__ = ()

    def _native(self) -> tuple[str, float, float]:
        """What the core takes: the scheme and its two numbers."""
        raise NotImplementedError


class Normal(Initializer):
    """Independent draws from N(mean, std^2).

    Parameters
    ----------
    std : float
        Standard deviation, >= 0.
    mean : float
        Mean.

    Examples
    --------
    >>> import bpnet
    >>> net = bpnet.Network([784, 30, 10], init=bpnet.Normal(std=0.1), bias_init="normal", seed=0)
    """

    __slots__ = ("std", "mean")
    std: float
    mean: float

    def __init__(self, *, std: float = 1.0, mean: float = 0.0) -> None:
        self._set(std=real("std", std, at_least=0), mean=real("mean", mean))

    def _native(self) -> tuple[str, float, float]:
        return "normal", self.mean, self.std


class Uniform(Initializer):
    """Independent draws from the interval from low to high.

    Parameters
    ----------
    low, high : float
        The ends of the interval, low <= high.

    Examples
    --------
    >>> import bpnet
    >>> net = bpnet.Network([3, 2], init=bpnet.Uniform(low=-1.0, high=1.0), seed=0)
    >>> bool(abs(net.weights[0]).max() <= 1)
    True
    """

    __slots__ = ("low", "high")
    low: float
    high: float

    def __init__(self, *, low: float = -0.05, high: float = 0.05) -> None:
        self._set(low=real("low", low), high=real("high", high))
        if self.low > self.high:
            raise ValueError(f"low is {self.low:g}, but must not be above high, which is {self.high:g}")

    def _native(self) -> tuple[str, float, float]:
        return "uniform", self.low, self.high


class Constant(Initializer):
    """The same number everywhere.

    Parameters
    ----------
    value : float
        The number.

    Examples
    --------
    >>> import bpnet
    >>> bpnet.Network([2, 2], bias_init=bpnet.Constant(value=0.5)).biases[0]
    array([0.5, 0.5], dtype=float32)
    """

    __slots__ = ("value",)
    value: float

    def __init__(self, *, value: float = 0.0) -> None:
        self._set(value=real("value", value))

    def _native(self) -> tuple[str, float, float]:
        return "constant", self.value, 0.0


class Orthogonal(Initializer):
    """Orthonormal rows or columns, whichever are fewer, times a gain.

    Parameters
    ----------
    gain : float
        The factor.

    References
    ----------
    Saxe, McClelland and Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks,
    2014.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> W = bpnet.Network([5, 3], init=bpnet.Orthogonal(), dtype="float64", seed=0).weights[0]
    >>> np.allclose(W @ W.T, np.eye(3))
    True
    """

    __slots__ = ("gain",)
    gain: float

    def __init__(self, *, gain: float = 1.0) -> None:
        self._set(gain=real("gain", gain))

    def _native(self) -> tuple[str, float, float]:
        return "orthogonal", self.gain, 0.0


_KINDS: dict[str, type[Initializer]] = {
    "orthogonal": Orthogonal,
    "normal": Normal,
    "uniform": Uniform,
    "constant": Constant,
}
_FOR_WEIGHTS = (
    "auto",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "nguyen_widrow",
    "normal",
    "uniform",
    "zeros",
    "constant",
)
_FOR_BIASES = ("zeros", "normal", "uniform", "constant")


def resolve_weight_init(init: object) -> tuple[str | Initializer, tuple[str, float, float]]:
    """`init` as it is remembered, and as the core takes it."""
    return _resolve("init", init, _FOR_WEIGHTS)


def resolve_bias_init(bias_init: object) -> tuple[str | Initializer | None, tuple[str, float, float] | None]:
    """`bias_init` as it is remembered, and as the core takes it. None: zeros, or what `init` prescribes."""
    return (None, None) if bias_init is None else _resolve("bias_init", bias_init, _FOR_BIASES)


def _resolve(name: str, init: object, known: tuple[str, ...]) -> tuple[str | Initializer, tuple[str, float, float]]:
    if isinstance(init, dict):
        init = _from_plain(name, init)
    if isinstance(init, Initializer):
        native = init._native()
        if native[0] not in known:
            raise ValueError(f"{name} is {init!r}, but must be one of {', '.join(known)} or an object of these kinds")
        return init, native
    if not isinstance(init, str):
        wrong_type(name, init, f"a name or an object such as {known[0]!r} or bpnet.Normal()")
    if init not in known:
        unknown_name(name, init, known)
    return init, _KINDS[init]()._native() if init in _KINDS else (init, 0.0, 0.0)


def to_plain(init: str | Initializer | None) -> Any:
    """`init` as `net.config` holds it: a name, None, or {name: options}."""
    return {init._native()[0]: init._options()} if isinstance(init, Initializer) else init


def _from_plain(name: str, plain: dict[str, Any]) -> Initializer:
    match list(plain.items()):
        case [(str(kind), dict(options))] if kind in _KINDS:
            return _KINDS[kind](**options)
    wrong_type(name, plain, "a name, an object such as bpnet.Normal(), or what net.config holds")
