"""What `Network.gradient` and `Network.forward` hand back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._options import unknown_name, wrong_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WRT = {"parameters": 1, "x": 2, "layers": 4}


def wrt_bits(wrt: str | tuple[str, ...]) -> int:
    """The core's mask for one of, or a tuple of, "parameters", "x", "layers"."""
    if isinstance(wrt, str):
        return _WRT.get(wrt) or unknown_name("wrt", wrt, _WRT)
    if not isinstance(wrt, (tuple, list, set, frozenset)) or not all(isinstance(name, str) for name in wrt):
        wrong_type("wrt", wrt, 'one of or a tuple of "parameters", "x", "layers"')
    if not wrt:
        raise ValueError('wrt is empty, but must name at least one of "parameters", "x", "layers"')
    bits = 0
    for name in wrt:
        bits |= wrt_bits(name)
    return bits


class Gradient:
    """The cost and its derivatives; each is there only where `wrt` asked for it.

    Attributes
    ----------
    cost : float
        C; every derivative below is the gradient of this number.
    flat : ndarray (n_parameters,)
        dC/dtheta, in the order of `net.parameters`. With `wrt="parameters"`, like the next two.
    weights, biases : tuple of L ndarrays (n_l, n_(l-1)) and (n_l,)
        dC/dW^l at [l-1] (BP3) and dC/db^l at [l-1] (BP4): views of `flat`.
    deltas : tuple of L ndarrays (m, n_l)
        dC/dz^l at [l-1] (BP1, BP2). With `wrt="layers"`, like the next.
    activations : tuple of L + 1 ndarrays (m, n_l)
        grad_(a^l) C at [l], l = 0..L (BP5).
    x : ndarray (m, n_0)
        grad_x C (BP5). With `wrt="x"`.

    A single sample has no m axis.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> net = bpnet.Network([3, 2], seed=0)
    >>> g = net.gradient(np.ones((5, 3)), np.zeros((5, 2)), wrt=("parameters", "x"))
    >>> g.weights[0].shape, g.biases[0].shape, g.flat.shape, g.x.shape
    ((2, 3), (2,), (8,), (5, 3))
    >>> g.deltas
    Traceback (most recent call last):
        ...
    AttributeError: g.deltas was not computed: ask for it with wrt="layers"
    """

    __slots__ = ("_activations", "_deltas", "_flat", "_sizes", "_x", "cost")

    def __init__(
        self,
        sizes: tuple[int, ...],
        cost: float,
        flat: NDArray[Any] | None,
        x: NDArray[Any] | None,
        deltas: list[NDArray[Any]] | None,
        activations: list[NDArray[Any]] | None,
    ) -> None:
        self._sizes = sizes
        self.cost = cost
        self._flat = flat
        self._x = x
        self._deltas = deltas
        self._activations = activations

    @property
    def flat(self) -> NDArray[Any]:
        """dC/dtheta, in the order of `net.parameters`."""
        return self._flat if self._flat is not None else _missing("flat", "parameters")

    @property
    def weights(self) -> tuple[NDArray[Any], ...]:
        """dC/dW^l at [l-1], views of `flat`. (BP3)"""
        flat = self._flat if self._flat is not None else _missing("weights", "parameters")
        return split_parameters(flat, self._sizes)[0]

    @property
    def biases(self) -> tuple[NDArray[Any], ...]:
        """dC/db^l at [l-1], views of `flat`. (BP4)"""
        flat = self._flat if self._flat is not None else _missing("biases", "parameters")
        return split_parameters(flat, self._sizes)[1]

    @property
    def x(self) -> NDArray[Any]:
        """grad_x C. (BP5)"""
        return self._x if self._x is not None else _missing("x", "x")

    @property
    def deltas(self) -> tuple[NDArray[Any], ...]:
        """dC/dz^l at [l-1]. (BP1, BP2)"""
        return tuple(self._deltas if self._deltas is not None else _missing("deltas", "layers"))

    @property
    def activations(self) -> tuple[NDArray[Any], ...]:
        """grad_(a^l) C at [l], l = 0..L. (BP5)"""
        return tuple(self._activations if self._activations is not None else _missing("activations", "layers"))

    def __repr__(self) -> str:
        parts = {"parameters": self._flat, "x": self._x, "layers": self._deltas}
        wrt = tuple(name for name, part in parts.items() if part is not None)
        return f"bpnet.Gradient(cost={self.cost:.6g}, wrt={wrt if len(wrt) > 1 else wrt[0]!r})"


def _missing(what: str, wrt: str) -> Any:
    raise AttributeError(f'g.{what} was not computed: ask for it with wrt="{wrt}"')


def split_parameters(
    flat: NDArray[Any], sizes: tuple[int, ...]
) -> tuple[tuple[NDArray[Any], ...], tuple[NDArray[Any], ...]]:
    """The views W^1..W^L (F order) and b^1..b^L of a flat vector W^1, b^1, W^2, b^2, ..."""
    weights, biases = [], []
    start = 0
    for n_in, n_out in zip(sizes, sizes[1:], strict=False):
        end = start + n_out * n_in
        weights.append(flat[start:end].reshape((n_out, n_in), order="F"))
        start = end + n_out
        biases.append(flat[end:start])
    return tuple(weights), tuple(biases)


class Activations:
    """Every layer of one forward pass.

    Attributes
    ----------
    z : tuple of L ndarrays (m, n_l)
        z^l at [l-1]. (F1)
    a : tuple of L + 1 ndarrays (m, n_l)
        a^l at [l] (F2); a[0] is what layer 1 sees: x, standardised where the network was normalised.

    A single sample has no m axis.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> bpnet.Network([3, 4, 2], seed=0).forward(np.ones((5, 3)))
    bpnet.Activations(a=[(5, 3), (5, 4), (5, 2)])
    """

    __slots__ = ("a", "z")

    def __init__(self, z: list[NDArray[Any]], a: list[NDArray[Any]]) -> None:
        self.z = tuple(z)
        self.a = tuple(a)

    def __repr__(self) -> str:
        return f"bpnet.Activations(a=[{', '.join(str(a.shape) for a in self.a)}])"
