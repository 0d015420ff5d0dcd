"""Networks from scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._options import wrong_type
from ._chain import Chain, refuse
from ._require import require

if TYPE_CHECKING:
    from .._network import Network

# scikit-learn's names; "exp" comes with MLPRegressor(loss="poisson").
_ACTIVATIONS = {
    "identity": "identity",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "softmax": "softmax",
    "exp": "exponential",
}
_EXPECTED = "a fitted MLPClassifier or MLPRegressor, alone or behind scalers in a Pipeline"


def from_sklearn(model: Any) -> Network:
    """The network inside a fitted scikit-learn model.

    Parameters
    ----------
    model : MLPClassifier, MLPRegressor, Pipeline or TransformedTargetRegressor
        Fitted. A Pipeline may have StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler in front of the
        network: they become its input normalisation. A TransformedTargetRegressor with one of them around it becomes
        the output normalisation.

    Returns
    -------
    Network
        float32 or float64 as the weights are, which are copied. Its `seed` is 0.

        A regressor's `predict(x)` is `net.predict(x)`, which is (m, 1) for one output. For a classifier
        `net.predict(x)` gives probabilities in the order of `model.classes_`; for two classes it is one column, the
        probability of the second one, `model.predict_proba(x)[:, 1:]`.

    Raises
    ------
    TypeError
        Where `model` is of another class.
    ValueError
        Where it is not fitted, or a step of a pipeline is not understood.
    ImportError
        Where scikit-learn is missing.

    Examples
    --------
    >>> import bpnet, numpy as np
    >>> from sklearn.neural_network import MLPRegressor
    >>> x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> model = MLPRegressor(hidden_layer_sizes=[16], activation="tanh", solver="lbfgs", max_iter=2000, random_state=0)
    >>> model = model.fit(x, x[:, 0] * x[:, 1])
    >>> net = bpnet.from_sklearn(model)
    >>> net
    bpnet.Network([2, 16, 1], activation='tanh', output_activation='identity', dtype='float64')
    >>> bool(np.allclose(net.predict(x).ravel(), model.predict(x)))
    True
    """
    require("sklearn", "'bpnet[sklearn]'")
    chain = Chain()
    _add(chain, "model", model)
    return chain.network()


def _add(chain: Chain, where: str, model: Any) -> None:
    """Whatever ends in a network: the network, a pipeline, a regressor with a transformed target."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline

    if isinstance(model, Pipeline):
        for name, step in model.steps[:-1]:
            _add_scaler(chain, f"{where} step {name!r} ({type(step).__name__})", step)
        name, step = model.steps[-1]
        _add(chain, f"{where} step {name!r}", step)
    elif isinstance(model, TransformedTargetRegressor):
        if not hasattr(model, "regressor_"):
            _not_fitted(where, model)
        _add(chain, f"{where} regressor", model.regressor_)
        _add_inverse(chain, f"{where} transformer ({type(model.transformer_).__name__})", model.transformer_)
    elif isinstance(model, (MLPClassifier, MLPRegressor)):
        _add_layers(chain, f"{where} ({type(model).__name__})", model)
    else:
        wrong_type(where, model, _EXPECTED)


def _add_layers(chain: Chain, where: str, model: Any) -> None:
    if not type(model).__module__.startswith("sklearn."):
        refuse(where, "is a class of its own, which may predict something else than scikit-learn's")
    if not hasattr(model, "coefs_") or not hasattr(model, "out_activation_"):
        _not_fitted(where, model)
    last = len(model.coefs_) - 1
    for i, (coefs, intercepts) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        chain.dense(f"{where} layer {i + 1}", coefs.T, intercepts)
        name = model.out_activation_ if i == last else model.activation
        if name not in _ACTIVATIONS:
            refuse(where, f"has the activation {name!r}, which is not understood")
        chain.activation(where, _ACTIVATIONS[name])


def _not_fitted(where: str, model: Any) -> None:
    refuse(where, f"is not fitted; call {type(model).__name__}.fit first")


def _scaler_steps(where: str, scaler: Any) -> list[tuple[str, Any]]:
    """What a fitted scaler does to x, as affine steps."""
    if scaler is None or (isinstance(scaler, str) and scaler == "passthrough"):
        return []
    kind = type(scaler).__name__ if type(scaler).__module__.startswith("sklearn.preprocessing") else ""
    if kind not in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"):
        refuse(where, "is not understood; of transformers bpnet knows the Standard-, MinMax-, MaxAbs- and RobustScaler")
    if not hasattr(scaler, "scale_"):
        _not_fitted(where, scaler)
    if getattr(scaler, "clip", False):
        refuse(where, "clips its result, which a network cannot")
    if kind == "MinMaxScaler":
        return [("multiply", scaler.scale_), ("add", scaler.min_)]
    shift = scaler.mean_ if kind == "StandardScaler" and scaler.with_mean else getattr(scaler, "center_", None)
    steps = [("subtract", shift), ("divide", scaler.scale_)]
    return [(operation, np.asarray(c)) for operation, c in steps if c is not None]


def _add_scaler(chain: Chain, where: str, scaler: Any) -> None:
    for operation, c in _scaler_steps(where, scaler):
        chain.affine(where, operation, c)


def _add_inverse(chain: Chain, where: str, scaler: Any) -> None:
    """What undoes the scaler."""
    undo = {"subtract": "add", "divide": "multiply", "add": "subtract", "multiply": "divide"}
    for operation, c in reversed(_scaler_steps(where, scaler)):
        chain.affine(where, undo[operation], c)
