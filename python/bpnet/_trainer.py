"""Training: the loop is the core's; here its options, its data, its progress bar and its callback."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from . import _core
from ._arrays import as_array
from ._costs import resolve_cost
from ._errors import DivergenceError
from ._gradient import Gradient
from ._history import History
from ._network import Network
from ._optimizers import resolve_optimizer
from ._options import flag, is_number, real, thread_count, whole, wrong_type
from ._reading import Reader
from ._seeds import resolve_seed
from ._targets import warn_of_targets_out_of_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from ._costs import CostLike
    from ._optimizers import Optimizer, OptimizerLike
    from ._seeds import SeedLike

    Validation: TypeAlias = "float | tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike | None]"
    BatchLike: TypeAlias = "tuple[ArrayLike, ArrayLike] | tuple[ArrayLike, ArrayLike, ArrayLike | None]"


class Trainer:
    """Trains one network and remembers the optimiser's state from one call to the next.

    Subnormal numbers (below 1.2e-38 in float32, 2.2e-308 in float64) are zeros to a training step, to a cost of your
    own as well; `Network.gradient` and everything else keep them.

    Parameters
    ----------
    net : Network
        What is trained, in place.
    cost : str, cost or callable
        As for `Network.gradient`.
    optimizer : str or optimizer
        "sgd", "rmsprop", "adam", "adamw", or an object such as `bpnet.SGD(learning_rate=3.0, momentum=0.9)`.
    l1, l2 : float
        Penalties l1 sum |W| and l2/2 sum W^2, both >= 0.
    penalize_biases : bool
        Whether the penalties take the biases too.
    seed : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Fixes the order of the samples. None: `net.seed` does.
    threads : int, optional
        How many to use; None: all that are meant for this process. The result does not depend on it.

    Attributes
    ----------
    net, cost, optimizer, l1, l2, penalize_biases, seed, threads
        As given.
    steps, epochs : int
        How many the trainer has made.

    Raises
    ------
    TypeError, ValueError
        Where an argument is not what it should be, or the cost does not go with the output activation.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> net = bpnet.Network([3, 4, 2], seed=0)
    >>> trainer = bpnet.Trainer(net, optimizer=bpnet.SGD(learning_rate=0.5))
    >>> before = trainer.step(np.ones((8, 3)), np.zeros((8, 2)))
    >>> before > net.cost(np.ones((8, 3)), np.zeros((8, 2)))
    True
    """

    __slots__ = (
        "__weakref__",
        "_cost",
        "_l1",
        "_l2",
        "_native",
        "_net",
        "_optimizer",
        "_penalize_biases",
        "_seed",
        "_step",
        "_targets_seen",
        "_threads",
    )

    def __init__(
        self,
        net: Network,
        *,
        cost: CostLike = "quadratic",
        optimizer: OptimizerLike = "adam",
        l1: float = 0.0,
        l2: float = 0.0,
        penalize_biases: bool = False,
        seed: SeedLike = None,
        threads: int | None = None,
    ) -> None:
        if not isinstance(net, Network):
            wrong_type("net", net, "a bpnet.Network")
        self._net = net
        self._cost = cost
        self._optimizer = resolve_optimizer(optimizer)
        eps = getattr(self._optimizer, "eps", 1.0)
        if net.dtype.type(eps) == 0:
            raise ValueError(f"eps of the optimizer is {eps}, which is 0 in {net.dtype}, but must be > 0")
        self._l1 = real("l1", l1, at_least=0)
        self._l2 = real("l2", l2, at_least=0)
        self._penalize_biases = flag("penalize_biases", penalize_biases)
        self._threads = thread_count(threads)
        native_cost = resolve_cost(cost)
        net._native.check_cost(native_cost)
        self._seed = net.seed if seed is None else resolve_seed(seed)
        self._native = _core.Trainer(
            net._native,
            native_cost,
            self._optimizer._native(),
            self._l1,
            self._l2,
            self._penalize_biases,
            self._seed,
            self._threads,
        )
        self._step = self._native.step
        self._targets_seen = False

    @property
    def net(self) -> Network:
        """What is trained."""
        return self._net

    @property
    def cost(self) -> CostLike:
        """As given."""
        return self._cost

    @property
    def optimizer(self) -> Optimizer:
        """As an object."""
        return self._optimizer

    @property
    def l1(self) -> float:
        """The factor of sum |W|."""
        return self._l1

    @property
    def l2(self) -> float:
        """The factor of sum W^2 / 2."""
        return self._l2

    @property
    def penalize_biases(self) -> bool:
        """Whether the penalties take the biases too."""
        return self._penalize_biases

    @property
    def seed(self) -> int:
        """What fixes the order of the samples."""
        return self._seed

    @property
    def threads(self) -> int | None:
        """As given."""
        return self._threads

    @property
    def steps(self) -> int:
        """How many updates this trainer has made."""
        return self._native.steps

    @property
    def epochs(self) -> int:
        """How many epochs of `fit` this trainer has finished."""
        return self._native.epochs

    def __repr__(self) -> str:
        return f"bpnet.Trainer({self._net!r}, cost={self._cost!r}, optimizer={self._optimizer!r}, steps={self.steps})"

    def step(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """One minibatch: forward, backward, update.

        Parameters
        ----------
        x, y, sample_weight
            As for `Network.gradient`.

        Returns
        -------
        float
            The cost before the update, penalties left out.

        Raises
        ------
        TypeError, ValueError
            Where an argument does not fit.
        DivergenceError
            Where cost or parameters stop being finite; the network is as before the step.
        """
        if self._targets_seen:
            return self._step(x, y, sample_weight)
        warn_of_targets_out_of_range(self._net, y)
        cost = self._step(x, y, sample_weight)
        self._targets_seen = True  # once these fitted
        return cost

    def apply(self, gradient: Gradient | ArrayLike) -> None:
        """One update along a gradient of the caller's own making.

        Parameters
        ----------
        gradient : Gradient or array (n_parameters,)
            dC/dtheta in the order of `net.parameters`. Penalties are added to it.

        Raises
        ------
        TypeError, ValueError
            Where it is no real array of this size.
        DivergenceError
            Where it, or a parameter after it, is not finite; the network is as before.
        AttributeError
            Where a Gradient was not computed with respect to the parameters.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> net = bpnet.Network([1, 1], init="zeros")
        >>> bpnet.Trainer(net, optimizer=bpnet.SGD(learning_rate=0.5)).apply(np.array([1.0, -1.0]))
        >>> net.parameters
        array([-0.5,  0.5], dtype=float32)
        """
        self._native.apply(gradient.flat if isinstance(gradient, Gradient) else gradient)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Trainer can be neither copied nor pickled: make another one, of a copy of the network")

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        validation: Validation | None = None,
        progress: bool = False,
        callback: Callable[[Trainer, int, History], object] | None = None,
    ) -> History:
        """Epochs of minibatches over a data set.

        Parameters
        ----------
        x : array (m, n_0)
            Raw inputs. Minibatches are gathered from it as it is; it is never copied whole.
        y : array (m, n_L); (m,) where n_L is 1; integer class labels (m,) for "cross_entropy"
            Raw targets.
        epochs : int
            How often to go through the data, >= 0.
        batch_size : int
            Samples a minibatch, >= 1; the last one of an epoch may be smaller.
        shuffle : bool
            A new order of the samples every epoch, else theirs. A minibatch of all samples is taken as it comes: only
            a cost of your own could tell, and is given them shuffled.
        sample_weight : array (m,), optional
            Weights >= 0. A minibatch divides by its own sum of weights; where that is 0 it is skipped.
        validation : (x, y), (x, y, w) or float, optional
            What `history.validation_cost` is measured on. A fraction f takes the last round(f m) rows out of the
            training.
        progress : bool
            Shows a bar; needs tqdm (`pip install "bpnet[cli]"`).
        callback : callable, optional
            `callback(trainer, epoch, history)` after each epoch, counted from 0. A true return stops. It may predict.

        Returns
        -------
        History
            The cost of every epoch, and more.

        Raises
        ------
        TypeError, ValueError
            Where an argument does not fit (the network is untouched) or a row is not finite (it is as before; where a
            callback made it so, as after the last finished step).
        DivergenceError
            Where cost or parameters stop being finite; the network is as after the last epoch whose parameters were
            finite.
        RuntimeError
            Where another fit of this network runs.
        ImportError
            Where progress asks for tqdm and it is missing.

        Notes
        -----
        Ctrl-C and an exception in the callback leave the network as after the last finished step.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> x = np.random.default_rng(0).uniform(-1, 1, (100, 1))
        >>> net = bpnet.Network([1, 16, 1], activation="tanh", output_activation="identity", seed=0)
        >>> trainer = bpnet.Trainer(net, optimizer=bpnet.Adam(learning_rate=0.01))
        >>> enough = lambda trainer, epoch, history: history.validation_cost[-1] < 0.01
        >>> trainer.fit(x, x**2, epochs=1000, validation=0.2, callback=enough).stopped_by
        'callback'
        """
        epochs = whole("epochs", epochs, at_least=0)
        batch_size = whole("batch_size", batch_size, at_least=1)
        shuffle = flag("shuffle", shuffle)
        progress = flag("progress", progress)
        if callback is not None and not callable(callback):
            wrong_type("callback", callback, "a callable (trainer, epoch, history) or None")
        x, y = as_array("x", x), as_array("y", y)
        sample_weight = None if sample_weight is None else as_array("sample_weight", sample_weight)
        held_out: tuple[Any, Any, Any | None] | None = None
        if validation is not None:
            x, y, sample_weight, held_out = split_validation(x, y, sample_weight, validation)
        is_fraction = is_number(validation)
        warn_of_targets_out_of_range(self._net, y)
        self._targets_seen = True

        run = _Run(self, epochs, batch_size, x if progress else None, callback)
        try:
            history = run.history
            history.cost, history.validation_cost, history.steps, stopped = self._native.fit(
                x,
                y,
                epochs,
                batch_size,
                shuffle,
                sample_weight,
                held_out,
                run.on_epoch if callback is not None or progress else None,
                run.on_progress if progress else None,
            )
        except ValueError as error:
            of_data = not history.cost and str(error).startswith("validation ")  # not a callback's
            if is_fraction and of_data and type(error) is ValueError:
                raise ValueError(f"{error} (counted from row {len(x)} of x, where the validation begins)") from None
            raise
        finally:
            run.close()
        history.stopped_by = "callback" if stopped else "epochs"
        return history

    def fit_batches(self, batches: Iterable[BatchLike], epochs: int = 1, *, prefetch: int = 1) -> History:
        """One step for each batch of an iterable, in its order: a loader, a simulator, a list.

        Parameters
        ----------
        batches : iterable of (x, y) or (x, y, sample_weight)
            Iterated once an epoch. Arrays of any real dtype and layout, as for `Network.gradient`.
        epochs : int
            How often, >= 0.
        prefetch : int
            How many batches a thread may read ahead while one is trained on, >= 0. The result does not depend on it.
            The thread starts once reading proves slow; 0 reads in the calling thread.

        Returns
        -------
        History
            `cost` is the mean over the epoch's samples (by weight), each taken before its step.

        Raises
        ------
        TypeError, ValueError
            Where batches is empty, gives something else, or cannot be iterated again and epochs > 1.
        DivergenceError
            As for `step`.

        Whatever batches itself raises comes out after the steps of all batches before it. After any exception a
        generator is closed.

        Notes
        -----
        With prefetch, each batch is copied before the next one is asked for: a generator may reuse its arrays. One
        that predicts with this network, or reads its parameters or `trainer.steps`, waits there until the batches it
        gave are trained on, so that it sees what it would see without the thread. Only views of the parameters taken
        beforehand are not watched over, and what belongs to one thread (an SQLite connection) cannot be read in
        another: take `prefetch=0` there, which copies nothing either. A list or tuple is neither copied nor read ahead.

        Examples
        --------
        >>> import bpnet, numpy as np
        >>> trainer = bpnet.Trainer(bpnet.Network([3, 2], seed=0))
        >>> trainer.fit_batches([(np.ones((4, 3)), np.zeros((4, 2)))] * 5, epochs=2).steps
        10
        """
        epochs = whole("epochs", epochs, at_least=0)
        if not (hasattr(batches, "__iter__") or hasattr(batches, "__getitem__")):
            wrong_type("batches", batches, "an iterable of (x, y) or (x, y, sample_weight)")
        if epochs > 1 and iter(batches) is batches:
            raise ValueError(
                f"batches ({type(batches).__name__}) can be iterated only once, but epochs is {epochs}: "
                "pass a list, or an object whose __iter__ begins anew"
            )
        prefetch = whole("prefetch", prefetch, at_least=0) if not isinstance(batches, (list, tuple)) else 0
        history = History()
        start, steps = time.perf_counter(), self.steps
        for epoch in range(epochs):
            try:
                history.cost.append(self._pass_over(batches, prefetch))
            except DivergenceError as error:
                error.epoch = epoch
                raise
        history.seconds, history.steps = time.perf_counter() - start, self.steps - steps
        history.stopped_by = "epochs"
        return history

    def _pass_over(self, batches: Iterable[BatchLike], prefetch: int) -> float:
        """One epoch of `fit_batches`; its mean cost."""
        total = weights = 0.0
        index = -1
        with Reader(iter(batches), prefetch, self._net._native) as reader:
            for index, (x, y, sample_weight) in enumerate(reader):
                try:
                    cost = self.step(x, y, sample_weight)
                except (TypeError, ValueError) as error:
                    if type(error) not in (TypeError, ValueError):
                        raise
                    raise type(error)(f"batches[{index}]: {error}") from error
                weight = _n_samples(x) if sample_weight is None else self._total(sample_weight)
                if weight > 0:
                    total += weight * cost
                    weights += weight
        if index < 0:
            raise ValueError("batches is empty")
        return total / weights if weights > 0 else math.nan

    def _total(self, weights: NDArray[Any]) -> float:
        """Their sum as the core has it: in the network's dtype, one after the other."""
        return float(np.cumsum(np.array(weights, self._net.dtype), dtype=np.float64)[-1])


class _Run:
    """One `fit` seen from outside: its history, its clock, its bar."""

    def __init__(
        self,
        trainer: Trainer,
        epochs: int,
        batch_size: int,
        x: NDArray[Any] | None,
        callback: Callable[[Trainer, int, History], object] | None,
    ) -> None:
        """x None: no bar."""
        self.history = History()
        self.trainer = trainer
        self.callback = callback
        self.bar = None if x is None else _bar(epochs * -(-_n_samples(x) // batch_size))
        self.steps_before = trainer.steps
        self.start = time.perf_counter()

    def on_epoch(self, epoch: int, cost: float, validation_cost: float | None) -> bool:
        history = self.history
        history.cost.append(cost)
        if validation_cost is not None:
            history.validation_cost.append(validation_cost)
        history.steps = self.trainer.steps - self.steps_before
        history.seconds = time.perf_counter() - self.start
        if self.bar is not None:
            shown_costs = {"cost": f"{cost:.4g}"}
            if validation_cost is not None:
                shown_costs["validation"] = f"{validation_cost:.4g}"
            self.bar.set_postfix(shown_costs, refresh=False)
        return self.callback is not None and bool(self.callback(self.trainer, epoch, history))

    def on_progress(self, steps: int) -> None:
        if self.bar is not None:
            self.bar.update(steps - self.bar.n)

    def close(self) -> None:
        self.history.seconds = time.perf_counter() - self.start
        if self.bar is not None:
            self.on_progress(self.trainer.steps - self.steps_before)
            self.bar.close()


def _bar(total: int) -> Any:
    try:
        from tqdm import tqdm
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('progress=True needs tqdm: pip install "bpnet[cli]"', name=error.name) from None
    return tqdm(total=total, unit="step", unit_scale=True)


def _n_samples(x: NDArray[Any]) -> int:
    return len(x) if x.ndim > 1 else 1


def split_validation(
    x: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[Any] | None, validation: Validation
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, tuple[Any, Any, Any | None]]:
    """(x, y, sample_weight) to train on, and (x, y, sample_weight) to validate on."""
    kinds = "(x, y), (x, y, sample_weight) or a fraction"
    if isinstance(validation, (tuple, list)):
        if not 2 <= len(validation) <= 3:
            raise ValueError(f"validation has {len(validation)} parts, but must be {kinds}")
        return x, y, sample_weight, (validation[0], validation[1], validation[2] if len(validation) == 3 else None)
    if not is_number(validation):
        wrong_type("validation", validation, kinds)
    fraction = real("validation", validation, above=0, below=1)
    if x.ndim < 2:
        raise ValueError(f"x has shape {x.shape}, but must be (m, n_0) where validation is a fraction of its samples")
    m = len(x)
    for name, array in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        if array is not None and (array.ndim == 0 or len(array) != m):
            raise ValueError(f"{name} has shape {array.shape}, but x has {m} samples")
    cut = m - round(fraction * m)
    if not 0 < cut < m:
        raise ValueError(
            f"validation is {fraction:g} of {m} samples, which leaves {cut} to train on and {m - cut} to validate"
        )
    head, tail = (None, None) if sample_weight is None else (sample_weight[:cut], sample_weight[cut:])
    return x[:cut], y[:cut], head, (x[cut:], y[cut:], tail)
