"""Networks from scikit-learn: the same predictions, to rounding."""

import bpnet
import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.compose import TransformedTargetRegressor  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations:UserWarning")

RNG = np.random.default_rng(0)
X = RNG.normal([3, -1, 0, 10], [2, 0.5, 1, 3], (80, 4))
LABELS = RNG.integers(0, 3, 80)
Y = np.stack([X[:, 0] * 5 + 40, X[:, 1] - X[:, 2]], axis=1)
OPTIONS = {"max_iter": 3, "random_state": 0}
ROUNDING = 30  # eps: sums of at most seven products a layer in another order, measured up to 4 eps


def assert_same(ours, theirs):
    assert ours.dtype == theirs.dtype
    atol = ROUNDING * np.finfo(theirs.dtype).eps * max(1, np.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs.reshape(ours.shape), rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("outputs", [1, 2])
def test_regressors(activation, outputs, dtype):
    x, y = X.astype(dtype), Y[:, :outputs].astype(dtype)
    y = y if outputs > 1 else y.ravel()
    model = MLPRegressor(hidden_layer_sizes=(7, 5), activation=activation, **OPTIONS).fit(x, y)
    net = bpnet.from_sklearn(model)
    assert net.sizes == (4, 7, 5, outputs)
    assert net.dtype == dtype
    assert net.activations[-1] == "identity"
    assert_same(net.predict(x), model.predict(x))


def test_a_classifier_of_three():
    names = np.array(["red", "green", "blue"])[LABELS]
    model = MLPClassifier(hidden_layer_sizes=(6,), **OPTIONS).fit(X, names)
    net = bpnet.from_sklearn(model)
    assert net.activations == ("relu", "softmax")
    assert_same(net.predict(X), model.predict_proba(X))
    assert (model.classes_[net.predict(X).argmax(axis=1)] == model.predict(X)).all()


def test_a_classifier_of_two_gives_the_probability_of_the_second():
    model = MLPClassifier(hidden_layer_sizes=(6,), activation="tanh", **OPTIONS).fit(X, LABELS > 0)
    net = bpnet.from_sklearn(model)
    assert net.sizes == (4, 6, 1)
    assert net.activations == ("tanh", "sigmoid")
    assert_same(net.predict(X), model.predict_proba(X)[:, 1:])


def test_a_classifier_of_several_labels():
    labels = np.stack([LABELS > 0, LABELS == 2], axis=1).astype(int)
    model = MLPClassifier(hidden_layer_sizes=(6,), **OPTIONS).fit(X, labels)
    assert_same(bpnet.from_sklearn(model).predict(X), model.predict_proba(X))


def test_poisson():
    try:
        model = MLPRegressor(loss="poisson", hidden_layer_sizes=(5,), **OPTIONS)
    except TypeError:
        pytest.skip("this scikit-learn has no loss='poisson'")
    model.fit(X / 10, np.abs(Y[:, 1]))
    net = bpnet.from_sklearn(model)
    assert net.activations[-1] == "exponential"
    assert_same(net.predict(X / 10), model.predict(X / 10))


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    StandardScaler(with_mean=False, with_std=False),
    MinMaxScaler(),
    MinMaxScaler((-1, 3)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    "passthrough",
]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_pipelines(scaler):
    model = make_pipeline(scaler, MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", **OPTIONS)).fit(X, Y)
    net = bpnet.from_sklearn(model)
    assert_same(net.predict(X), model.predict(X))


def test_a_standard_scaler_is_the_input_normalisation_to_the_bit():
    model = make_pipeline(StandardScaler(), MLPClassifier(**OPTIONS)).fit(X, LABELS)
    net = bpnet.from_sklearn(model)
    assert (net.input_shift == model[0].mean_).all()
    assert (net.input_scale == model[0].scale_).all()
    assert_same(net.predict(X), model.predict_proba(X))


def test_scalers_in_a_row_and_pipelines_in_pipelines():
    inner = make_pipeline(MinMaxScaler(), MLPRegressor(activation="tanh", **OPTIONS))
    model = make_pipeline(StandardScaler(), inner).fit(X, Y)
    assert_same(bpnet.from_sklearn(model).predict(X), model.predict(X))


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), MaxAbsScaler(), RobustScaler()], ids=str)
@pytest.mark.parametrize("outside", [True, False])
def test_transformed_targets(scaler, outside):
    mlp = MLPRegressor(activation="logistic", **OPTIONS)
    if outside:
        model = TransformedTargetRegressor(make_pipeline(StandardScaler(), mlp), transformer=scaler)
    else:
        model = make_pipeline(StandardScaler(), TransformedTargetRegressor(mlp, transformer=scaler))
    model.fit(X, Y)
    net = bpnet.from_sklearn(model)
    assert net.input_shift is not None and net.output_scale is not None
    assert_same(net.predict(X), model.predict(X))


def test_the_copy_is_independent():
    model = MLPRegressor(**OPTIONS).fit(X, Y)
    net = bpnet.from_sklearn(model)
    before = model.predict(X)
    net.parameters[:] = 0
    assert (model.predict(X) == before).all()


def with_first(step):
    """A fitted pipeline whose scaler something else then takes the place of."""
    model = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(3,), **OPTIONS)).fit(X, Y)
    model.steps[0] = ("first", step)
    return model


class Doubled(MLPRegressor):
    def predict(self, x):
        return 2 * super().predict(x)


REFUSED = {
    "a class of one's own": (lambda: Doubled(**OPTIONS).fit(X, Y), ValueError, "Doubled.* class of its own"),
    "unfitted": (lambda: MLPClassifier(), ValueError, r"model \(MLPClassifier\) is not fitted"),
    "unfitted pipeline": (
        lambda: make_pipeline(StandardScaler(), MLPRegressor()),
        ValueError,
        "standardscaler.*not fitted",
    ),
    "unfitted target": (lambda: TransformedTargetRegressor(MLPRegressor()), ValueError, "TransformedTarget.*fit"),
    "another model": (lambda: LinearRegression(), TypeError, "model is LinearRegression.*MLPRegressor"),
    "a class": (lambda: MLPRegressor, TypeError, "MLPRegressor"),
    "None": (lambda: None, TypeError, "None"),
    "another end": (
        lambda: make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y),
        TypeError,
        "step 'linearregression'",
    ),
    "another step": (lambda: with_first(PolynomialFeatures()), ValueError, r"step 'first' \(PolynomialFeatures\)"),
    "a function": (lambda: with_first(FunctionTransformer(np.log)), ValueError, r"'first' \(FunctionTransformer\)"),
    "clipping": (lambda: with_first(MinMaxScaler(clip=True).fit(X)), ValueError, "MinMaxScaler.*clip"),
    "another size": (lambda: with_first(StandardScaler().fit(X[:, :3])), ValueError, "4 columns, but 3"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_refused(row):
    make, error, words = REFUSED[row]
    model = make()
    with pytest.raises(error, match=words):
        bpnet.from_sklearn(model)
