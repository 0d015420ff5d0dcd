"""The network as Python sees it: names and checks around the core's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._architecture import FLOAT32, FLOAT64, allocate, check_activations, check_capacity, check_dtype, check_sizes
from ._costs import resolve_cost
from ._gradient import Activations, Gradient, wrt_bits
from ._initializers import resolve_bias_init, resolve_weight_init, to_plain
from ._options import choice, thread_count
from ._seeds import resolve_seed

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from typing import BinaryIO

    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from typing_extensions import Self

    from ._costs import CostLike
    from ._history import History
    from ._initializers import Initializer, InitLike
    from ._optimizers import OptimizerLike
    from ._seeds import SeedLike
    from ._trainer import Trainer, Validation

_REDUCTIONS = ("mean", "sum")


class Network:
    """A dense feed-forward network. (F1, F2)

    z^l = W^l a^(l-1) + b^l, a^l = f^l(z^l) for l = 1..L, with a^0 = x.

    Parameters
    ----------
    sizes : sequence of int
        n_0..n_L: at least two, each at least 1. `[784, 30, 10]` has one hidden layer, `[784, 10]` none.
    activation : str or sequence of str
        One name for all hidden layers, or one name for each.
    output_activation : str
        The last layer's.
    init : str or initialiser
        How weights start: "auto" (by activation), "glorot_uniform", "glorot_normal", "he_uniform", "he_normal",
        "lecun_uniform", "lecun_normal", "orthogonal", "nguyen_widrow", "normal" (N(0, 1)), "uniform", "zeros",
        "constant", or an object such as `bpnet.Normal(std=0.1)`.
    dtype : str or dtype
        "float32" or "float64".
    seed : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Fixes the initial parameters and, through them, every fit. None draws a fresh one; `net.seed` tells which.
    bias_init : str, initialiser or None
        How biases start: "zeros", "normal", "uniform", "constant" or an object. None: zeros, or what `init` prescribes.

    Raises
    ------
    TypeError, ValueError
        Where an argument is not what it should be; the message names it.

    Notes
    -----
    Batches are (m, n), C order, one sample a row; an x of shape (n_0,) is one sample and drops the m axis in every
    result. Networks compare by identity; compare `net.config` and `net.parameters` to know whether two are equal.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> net = bpnet.Network([2, 8, 1], activation="tanh", output_activation="sigmoid", seed=1)
    >>> net
    bpnet.Network([2, 8, 1], activation='tanh', output_activation='sigmoid', dtype='float32')
    >>> net.predict(np.zeros((5, 2), np.float32)).shape
    (5, 1)
    """

    __slots__ = ("__weakref__", "_bias_init", "_init", "_native", "_predict", "_seed", "_sizes", "_warned")

    _native: _core.Network
    _predict: Callable[[Any, Any, Any], NDArray[Any]]
    _sizes: tuple[int, ...]
    _seed: int
    _init: str | Initializer
    _bias_init: str | Initializer | None
    _warned: bool

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str] = "sigmoid",
        output_activation: str = "sigmoid",
        init: InitLike = "auto",
        dtype: DTypeLike = "float32",
        seed: SeedLike = None,
        *,
        bias_init: InitLike | None = None,
    ) -> None:
        weights, biases = self._prepare(sizes, activation, output_activation, init, dtype, seed, bias_init)
        self._native.initialize(weights, biases, self._seed)

    def _prepare(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str],
        output_activation: str,
        init: InitLike,
        dtype: DTypeLike,
        seed: SeedLike,
        bias_init: InitLike | None,
    ) -> tuple[tuple[str, float, float], tuple[str, float, float] | None]:
        """Everything of __init__ but the numbers in the parameters; returns how the core is to draw them."""
        checked = check_sizes(sizes)
        names = check_activations(activation, output_activation, len(checked) - 1)
        kind = check_dtype(dtype)
        check_capacity(checked, kind)
        init, weights = resolve_weight_init(init)
        bias_init, biases = resolve_bias_init(bias_init)
        seed = resolve_seed(seed)
        self._native = allocate(_core.Network32 if kind == FLOAT32 else _core.Network64, checked, names)
        self._init, self._bias_init, self._seed, self._sizes = init, bias_init, seed, checked
        self._predict = self._native.predict
        self._warned = False
        return weights, biases

    @classmethod
    def _bare(cls, config: Mapping[str, Any]) -> Self:
        """A network with this config, its parameters not yet set."""
        net = cls.__new__(cls)
        net._prepare(**config)
        return net

    # ---- what it is

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0..n_L."""
        return self._sizes

    @property
    def depth(self) -> int:
        """L, the number of layers with weights."""
        return len(self._sizes) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the parameters and of every result: float32 or float64."""
        return FLOAT32 if isinstance(self._native, _core.Network32) else FLOAT64

    @property
    def activations(self) -> tuple[str, ...]:
        """The names of f^1..f^L."""
        return tuple(self._native.activations)

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases."""
        return self._native.n_parameters

    @property
    def seed(self) -> int:
        """What the initial parameters were drawn from, 0 <= seed < 2**64."""
        return self._seed

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that make this network anew, as plain data.

        `bpnet.Network(**net.config)` starts where this one started.

        Examples
        --------
        >>> import bpnet
        >>> bpnet.Network([2, 3, 1], seed=5).config  # doctest: +NORMALIZE_WHITESPACE
        {'sizes': [2, 3, 1], 'activation': ['sigmoid'], 'output_activation': 'sigmoid', 'init': 'auto', 'dtype':
        'float32',
         'seed': 5, 'bias_init': None}
        """
        *hidden, output = self._native.activations
        return {
            "sizes": list(self._sizes),
            "activation": hidden,
            "output_activation": output,
            "init": to_plain(self._init),
            "dtype": self.dtype.name,
            "seed": self._seed,
            "bias_init": to_plain(self._bias_init),
        }

    # ---- parameters

    @property
    def parameters(self) -> NDArray[Any]:
        """theta (n_parameters,): W^1, b^1, W^2, b^2, ... end to end. A writable view.

        Each W^l lies column by column, the n_l outputs of one input side by side. Assign by `net.parameters[:] = ...`.
        """
        return self._native.parameters

    @property
    def weights(self) -> tuple[NDArray[Any], ...]:
        """W^l (n_l, n_(l-1)) at [l-1]: writable views of `parameters`, in F order."""
        return tuple(self._native.weights)

    @property
    def biases(self) -> tuple[NDArray[Any], ...]:
        """b^l (n_l,) at [l-1]: writable views of `parameters`."""
        return tuple(self._native.biases)

    # ---- standardisation

    @property
    def input_shift(self) -> NDArray[Any] | None:
        """(n_0,): layer 1 sees (x - input_shift) / input_scale. None until `normalize`. A copy."""
        return self._native.normalization["input_shift"]

    @property
    def input_scale(self) -> NDArray[Any] | None:
        """(n_0,): see `input_shift`."""
        return self._native.normalization["input_scale"]

    @property
    def output_shift(self) -> NDArray[Any] | None:
        """(n_L,): the network gives a^L * output_scale + output_shift. None until `normalize`. A copy."""
        return self._native.normalization["output_shift"]

    @property
    def output_scale(self) -> NDArray[Any] | None:
        """(n_L,): see `output_shift`."""
        return self._native.normalization["output_scale"]

    def normalize(self, x: ArrayLike | None = None, y: ArrayLike | None = None) -> None:
        """Makes the standardisation of x, of y, or of both, part of the network and of its file.

        Layer 1 then sees each column of x with mean 0 and standard deviation 1, and costs compare a^L with y
        standardised likewise; callers go on passing raw x and y, and every derivative is with respect to raw x. Weights
        stay as they are, so this belongs before the training. A constant column is shifted only.

        Parameters
        ----------
        x : array (m, n_0), optional
            Any real dtype and layout; read in tiles, never copied whole. None leaves the input side as it is.
        y : array (m, n_L), or (m,) where n_L is 1, optional
            Likewise for the output side.

        Raises
        ------
        TypeError, ValueError
            Where neither is given, a shape does not fit, or a value is not finite. The network is then as it was.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> net = bpnet.Network([1, 4, 1], output_activation="identity", seed=0)
        >>> net.normalize(x=np.array([[10.0], [30.0]]), y=np.array([5.0, 5.0]))
        >>> net.input_shift, net.input_scale, net.output_shift, net.output_scale
        (array([20.], dtype=float32), array([10.], dtype=float32), array([5.], dtype=float32), array([1.],
        dtype=float32))
        """
        from ._statistics import shift_and_scale

        if x is None and y is None:
            raise TypeError("normalize() needs x, y or both")
        now = self._native.normalization
        inputs = now["input_shift"], now["input_scale"]
        outputs = now["output_shift"], now["output_scale"]
        if x is not None:
            inputs = self._rounded("x", *shift_and_scale("x", x, self._sizes[0]))
        if y is not None:
            outputs = self._rounded("y", *shift_and_scale("y", y, self._sizes[-1], flat_allowed=True))
        self._native.set_normalization(*inputs, *outputs)

    def _rounded(
        self, name: str, shift: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Both in the network's dtype. A scale that vanishes there is as good as constant: 1."""
        limits = np.finfo(self.dtype)
        if max(np.abs(shift).max(), scale.max()) > limits.max:
            raise ValueError(f"{name} has values too large for {self.dtype}")
        scale = np.where(scale < limits.tiny, 1.0, scale)
        return shift.astype(self.dtype), scale.astype(self.dtype)

    # ---- use

    def predict(self, x: ArrayLike, out: NDArray[Any] | None = None, *, threads: int | None = None) -> NDArray[Any]:
        """The outputs for raw x: a^L, scaled back where the network was normalised. Also `net(x)`. (F1, F2)

        Parameters
        ----------
        x : array (m, n_0) or (n_0,)
            Used in place where it is C-contiguous, aligned and of the network's dtype; any other real dtype is
            converted tile by tile.
        out : ndarray (m, n_L) or (n_L,), optional
            Where to write; C-contiguous, of the network's dtype.
        threads : int, optional
            How many to use; None: all that are meant for this process. The result does not depend on it.

        Returns
        -------
        ndarray (m, n_L) or (n_L,)
            `out`, where it was given.

        Raises
        ------
        TypeError, ValueError
            Where x or out does not fit.
        RuntimeError
            Where another thread trains this network.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> net = bpnet.Network([3, 2], init="zeros")
        >>> net.predict(np.ones(3))
        array([0.5, 0.5], dtype=float32)
        """
        return self._predict(x, out, threads)

    def __call__(self, x: ArrayLike, out: NDArray[Any] | None = None, *, threads: int | None = None) -> NDArray[Any]:
        """The same as `predict`."""
        return self.predict(x, out, threads=threads)

    def forward(self, x: ArrayLike, *, threads: int | None = None) -> Activations:
        """z^l and a^l of every layer. (F1, F2)

        Parameters
        ----------
        x : array (m, n_0) or (n_0,)
            As for `predict`.
        threads : int, optional
            As for `predict`.

        Returns
        -------
        Activations
            `.z[l-1]` and `.a[l]`, each (m, n_l); `.a[0]` is what layer 1 sees.

        Raises
        ------
        TypeError, ValueError
            Where x does not fit.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> layers = bpnet.Network([3, 4, 2], seed=0).forward(np.ones((5, 3)))
        >>> layers.z[0].shape, layers.a[2].shape
        ((5, 4), (5, 2))
        """
        return Activations(*self._native.forward(x, thread_count(threads)))

    def cost(
        self,
        x: ArrayLike,
        y: ArrayLike,
        cost: CostLike = "quadratic",
        *,
        sample_weight: ArrayLike | None = None,
        reduction: str = "mean",
        threads: int | None = None,
    ) -> float:
        """C of a batch.

        Parameters
        ----------
        x, y, cost, sample_weight, reduction, threads
            As for `gradient`.

        Returns
        -------
        float
            sum(w_i C_i) / sum(w), or sum(w_i C_i) with reduction="sum"; w is 1 where no weights are given.

        Raises
        ------
        TypeError, ValueError
            Where an argument does not fit.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> bpnet.Network([3, 2], init="zeros").cost(np.ones((5, 3)), np.zeros((5, 2)))  # 1/2 (1/4 + 1/4)
        0.25
        """
        choice("reduction", reduction, _REDUCTIONS)
        return self._native.cost(x, y, resolve_cost(cost), sample_weight, reduction, thread_count(threads))

    def gradient(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        cost: CostLike = "quadratic",
        sample_weight: ArrayLike | None = None,
        wrt: str | tuple[str, ...] = "parameters",
        reduction: str = "mean",
        threads: int | None = None,
    ) -> Gradient:
        """C of a batch and its derivatives. (BP1 to BP5)

        Parameters
        ----------
        x : array (m, n_0) or (n_0,)
            Raw inputs.
        y : array (m, n_L); (m,) where n_L is 1; integer class labels (m,) for "cross_entropy"
            Raw targets.
        cost : str, cost or callable
            A name, an object such as `bpnet.Huber(delta=2.0)`, or a callable (a, y) -> (cost (k,), d cost / d a (k,
            n_L)), which is given tiles of k <= 64 samples.
        sample_weight : array (m,), optional
            Weights >= 0.
        wrt : str or tuple of str
            "parameters", "x", "layers": what to differentiate with respect to. Nothing else is computed.
        reduction : str
            "mean": the weighted mean over samples; "sum": their weighted sum.
        threads : int, optional
            As for `predict`.

        Returns
        -------
        Gradient
            `.cost`, and what `wrt` asked for.

        Raises
        ------
        TypeError, ValueError
            Where an argument does not fit.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> net = bpnet.Network([2, 1], output_activation="identity", init="zeros", dtype="float64")
        >>> g = net.gradient([[1.0, 2.0]], [[-3.0]])  # a = 0, delta = a - y = 3
        >>> g.cost, g.weights[0], g.biases[0]
        (4.5, array([[3., 6.]]), array([3.]))
        """
        choice("reduction", reduction, _REDUCTIONS)
        return Gradient(
            self._sizes,
            *self._native.gradient(
                x, y, resolve_cost(cost), sample_weight, wrt_bits(wrt), reduction, thread_count(threads)
            ),
        )

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        cost: CostLike = "quadratic",
        optimizer: OptimizerLike = "adam",
        epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        validation: Validation | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        penalize_biases: bool = False,
        seed: SeedLike = None,
        threads: int | None = None,
        progress: bool = False,
        callback: Callable[[Trainer, int, History], object] | None = None,
    ) -> History:
        """Trains with a new `Trainer`, which see for the first group of options; `Trainer.fit` for the second.

        Parameters
        ----------
        x, y
            As for `gradient`. The data set is never copied.
        cost, optimizer, l1, l2, penalize_biases, seed, threads
            As for `Trainer`.
        epochs, batch_size, shuffle, sample_weight, validation, progress, callback
            As for `Trainer.fit`.

        Returns
        -------
        History
            The cost of every epoch, and more.

        Raises
        ------
        TypeError, ValueError
            Where an argument does not fit (the network is untouched) or a row is not finite (it is as before).
        DivergenceError
            Where cost or parameters stop being finite; the network is as after the last epoch whose parameters were
            finite.
        RuntimeError
            Where another fit of this network runs.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> y = np.array([0, 1, 1, 0])
        >>> net = bpnet.Network([2, 8, 1], activation="tanh", seed=1)
        >>> history = net.fit(x, y, cost="binary_cross_entropy", optimizer=bpnet.Adam(learning_rate=0.05), epochs=500)
        >>> net.predict(x).round().ravel()
        array([0., 1., 1., 0.], dtype=float32)
        """
        from ._trainer import Trainer

        trainer = Trainer(
            self,
            cost=cost,
            optimizer=optimizer,
            l1=l1,
            l2=l2,
            penalize_biases=penalize_biases,
            seed=seed,
            threads=threads,
        )
        return trainer.fit(
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            validation=validation,
            progress=progress,
            callback=callback,
        )

    # ---- copies and files

    def copy(self) -> Self:
        """An independent network, equal to the last bit."""
        import copy

        return copy.copy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """For copy and pickle: the bytes of the file, and whatever attributes a subclass has."""
        from ._serialization import from_bytes, to_bytes

        attributes, slots = getattr(self, "__dict__", None), self._slots_of_subclass()
        return from_bytes, (to_bytes(self), type(self)), (attributes, slots) if slots else attributes

    def _slots_of_subclass(self) -> dict[str, Any]:
        """What a subclass keeps in slots, by the attributes' names."""
        found = {}
        for kind in type(self).__mro__[: type(self).__mro__.index(Network)]:
            names = kind.__dict__.get("__slots__", ())
            for name in [names] if isinstance(names, str) else names:
                if name.startswith("__") and not name.endswith("__"):
                    name = f"_{kind.__name__.lstrip('_')}{name}"
                if name not in ("__dict__", "__weakref__") and hasattr(self, name):
                    found[name] = getattr(self, name)
        return found

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy in another dtype.

        Parameters
        ----------
        dtype : str or dtype
            "float32" or "float64".

        Examples
        --------
        >>> import bpnet
        >>> bpnet.Network([2, 1], seed=0).astype("float64").dtype
        dtype('float64')
        """
        twin = self._bare({**self.config, "dtype": check_dtype(dtype)})
        twin._native.parameters[:] = self._native.copied_parameters()
        now = self._native.normalization
        if any(value is not None for value in now.values()):
            twin._native.set_normalization(
                now["input_shift"], now["input_scale"], now["output_shift"], now["output_scale"]
            )
        for name, value in {**getattr(self, "__dict__", {}), **self._slots_of_subclass()}.items():  # of a subclass
            setattr(twin, name, value)
        return twin

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Writes the network to a safetensors file; `bpnet.load` reads it. The same network gives the same bytes.

        The file appears in one piece: a crash or a full disk leaves the one that was there. When this returns, the disk
        has it. Mode and owner of an existing file stay.

        Parameters
        ----------
        path : str, path-like or binary file
            The file; one that exists is replaced. What is open already is written to, and neither flushed nor closed.

        Raises
        ------
        OSError
            Where it cannot be written.
        RuntimeError
            Where another thread trains or changes the network meanwhile.
        """
        from ._serialization import save

        save(self, path)

    # ---- in words

    def summary(self) -> str:
        """A table of the layers.

        Examples
        --------
        >>> import bpnet
        >>> print(bpnet.Network([784, 30, 10], seed=0).summary())
        layer      shape  activation  parameters
        1      784 -> 30     sigmoid      23,550
        2       30 -> 10     sigmoid         310
        total                             23,860  93.2 KiB in float32
        """
        rows = [("layer", "shape", "activation", "parameters")]
        for layer, name in enumerate(self.activations, start=1):
            n_in, n_out = self._sizes[layer - 1 : layer + 1]
            rows.append((str(layer), f"{n_in} -> {n_out}", name, f"{n_out * (n_in + 1):,}"))
        rows.append(("total", "", "", f"{self.n_parameters:,}"))
        first, *rest = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [
            "  ".join([head.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, rest, strict=True))])
            for head, *cells in rows
        ]
        return "\n".join(lines) + f"  {_bytes(self._native.parameters.nbytes)} in {self.dtype}"

    def __repr__(self) -> str:
        *hidden, output = self._native.activations
        same = len(set(hidden)) == 1
        activation = f"activation={(hidden[0] if same else hidden)!r}, " if hidden else ""
        return (
            f"bpnet.Network({list(self._sizes)}, {activation}output_activation={output!r}, dtype={self.dtype.name!r})"
        )


def _bytes(count: int) -> str:
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min((count.bit_length() - 1) // 10, len(units) - 1)
    return f"{count / 1024**power:.{1 if power else 0}f} {units[power]}"
