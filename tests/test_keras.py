"""Networks from Keras: the same predictions, to rounding. Runs on PyTorch or JAX, so TensorFlow is not needed."""

import importlib.util
import os

import bpnet
import numpy as np
import pytest

pytest.importorskip("keras")
for backend in ("torch", "jax", "tensorflow"):
    if importlib.util.find_spec(backend):
        os.environ.setdefault("KERAS_BACKEND", backend)
        break
else:
    pytest.skip("Keras has no backend", allow_module_level=True)

import keras  # noqa: E402
from keras import layers  # noqa: E402

# Keras 3 with NumPy 2: its variables do not know the argument copy of __array__.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

X = np.random.default_rng(0).normal(scale=2, size=(60, 4)).astype(np.float32)
# eps: sums of at most a dozen products a layer in another order, and backends that use fast elementwise functions
ROUNDING = 60

# Keras's name and ours.
ACTIVATIONS = {
    "linear": "identity",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "elu": "elu",
    "selu": "selu",
    "softplus": "softplus",
    "softsign": "softsign",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "mish": "mish",
    "hard_sigmoid": "hard_sigmoid",
    "hard_tanh": "hard_tanh",
    "exponential": "exponential",
    "softmax": "softmax",
}


def sequential(*parts, inputs=(4,)):
    return keras.Sequential([layers.Input(inputs), *parts])


def with_random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    # all positive, for variances are among them
    model.set_weights([rng.uniform(0.2, 0.9, w.shape) for w in model.get_weights()])
    return model


def assert_same(net, model, x=X):
    expected = model.predict(x, verbose=0)
    assert expected.dtype == net.dtype
    atol = ROUNDING * np.finfo(net.dtype).eps * max(1, np.abs(expected).max())
    np.testing.assert_allclose(net.predict(x.reshape(len(x), -1)), expected, rtol=0, atol=atol)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_layers(name):
    model = sequential(
        layers.Dense(6, activation=name, bias_initializer="normal"),
        layers.Dense(5, use_bias=False),
        layers.Dense(3, activation=name),
    )
    net = bpnet.from_keras(model)
    assert net.sizes == (4, 6, 5, 3)
    assert net.activations == (ACTIVATIONS[name], "identity", ACTIVATIONS[name])
    assert net.dtype == np.float32
    assert_same(net, model, X / 4 if name == "exponential" else X)


LAYERS = {
    "Activation": (lambda: layers.Activation("gelu"), "gelu"),
    "ReLU": (lambda: layers.ReLU(), "relu"),
    "ReLU with a slope": (lambda: layers.ReLU(negative_slope=0.01), "leaky_relu"),
    "LeakyReLU": (lambda: layers.LeakyReLU(negative_slope=0.01), "leaky_relu"),
    "ELU": (lambda: layers.ELU(), "elu"),
    "Softmax": (lambda: layers.Softmax(), "softmax"),
    "a function of ours": (lambda: layers.Activation(keras.ops.sin), "sine"),
}


@pytest.mark.parametrize("row", LAYERS)
def test_activation_layers(row):
    make, name = LAYERS[row]
    model = sequential(layers.Dense(6), make(), layers.Dense(3))
    net = bpnet.from_keras(model)
    assert net.activations == (name, "identity")
    assert_same(net, model)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has float64 only where it was started with it")
def test_float64():
    """Keras 3 multiplies float64 by float64 in float32 on PyTorch, so its formula in NumPy is compared too."""
    model = sequential(layers.Dense(6, "tanh", dtype="float64"), layers.Dense(3, dtype="float64"))
    net = bpnet.from_keras(model)
    assert net.dtype == np.float64
    W1, b1, W2, b2 = model.get_weights()
    np.testing.assert_allclose(net.predict(X), np.tanh(X @ W1 + b1) @ W2 + b2, rtol=0, atol=1e-14)
    np.testing.assert_allclose(net.predict(X), model.predict(X, verbose=0), rtol=0, atol=1e-5)


def test_what_does_nothing_in_a_prediction():
    model = sequential(
        layers.Flatten(), layers.Dropout(0.5), layers.Dense(5, "tanh"), layers.GaussianNoise(1.0), layers.Dense(2),
        inputs=(2, 2),
    )  # fmt: skip
    net = bpnet.from_keras(model)
    assert net.activations == ("tanh", "identity")
    assert_same(net, model, X.reshape(-1, 2, 2))


def test_functional_models_and_models_in_models():
    inner = sequential(layers.Dense(5, "tanh"), layers.Dense(3), inputs=(6,))
    other_input = layers.Input((3,))
    other = keras.Model(other_input, layers.Dense(4, "silu")(other_input))
    x = layers.Input((4,))
    h = layers.Dense(6)(x)
    layers.Dense(9)(h)  # leads nowhere
    h = layers.Activation("relu")(h)
    model = keras.Model(x, other(inner(h)))
    net = bpnet.from_keras(model)
    assert net.sizes == (4, 6, 5, 3, 4)
    assert net.activations == ("relu", "tanh", "identity", "silu")
    assert_same(net, model)


def test_a_layer_used_twice():
    square = layers.Dense(4, "tanh")
    x = layers.Input((4,))
    model = keras.Model(x, square(square(x)))
    net = bpnet.from_keras(model)
    assert net.sizes == (4, 4, 4)
    assert_same(net, model)


def test_normalisation_at_both_ends():
    x, y = 3 * X + 5, 20 * X[:, :2] - 7
    inputs, outputs = layers.Normalization(), layers.Normalization(invert=True)
    inputs.adapt(x)
    outputs.adapt(y)
    model = sequential(inputs, layers.Dense(5, "tanh"), layers.Dense(2), outputs)
    net = bpnet.from_keras(model)
    np.testing.assert_allclose(net.input_shift, x.mean(axis=0), rtol=1e-5)  # of Keras's float32 mean
    np.testing.assert_allclose(net.output_scale, y.std(axis=0), rtol=1e-5)
    assert_same(net, model, x)


def test_normalisation_by_given_numbers_and_rescaling():
    model = sequential(
        layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 9.0, 16.0]),
        layers.Dense(3, "sigmoid"),
        layers.Rescaling(8.0, offset=-4.0),
    )
    net = bpnet.from_keras(model)
    assert net.input_shift.tolist() == [1, 2, 3, 4]
    assert net.input_scale.tolist() == [1, 2, 3, 4]
    assert net.output_shift.tolist() == [-4] * 3
    assert net.output_scale.tolist() == [8] * 3
    assert_same(net, model)


def test_batch_normalisation_anywhere():
    model = sequential(
        layers.BatchNormalization(),
        layers.Dense(6),
        layers.BatchNormalization(scale=False),
        layers.ReLU(),
        layers.BatchNormalization(center=False),
        layers.Dense(3, use_bias=False),
        layers.BatchNormalization(),
    )
    net = bpnet.from_keras(with_random_weights(model))
    assert net.activations == ("relu", "identity")
    assert net.input_scale is not None and net.output_scale is not None
    assert_same(net, model)


def test_the_copy_is_independent():
    model = sequential(layers.Dense(3))
    before = model.get_weights()
    bpnet.from_keras(model).parameters[:] = 0
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def branch():
    x = layers.Input((4,))
    h = layers.Dense(3)(x)
    return keras.Model(x, layers.Add(name="sum")([h, layers.Dense(3)(h)]))


def two_ends():
    x = layers.Input((4,))
    h = layers.Dense(3)(x)
    return keras.Model(x, [h, layers.Dense(3)(h)])


class WithCode(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x):
        return -self.dense(x)


class Twice(layers.Dense):
    def call(self, x):
        return 2 * super().call(x)


REFUSED = {
    "leaky_relu by name": (lambda: sequential(layers.Dense(3, "leaky_relu", name="d")), r"'d' \(Dense\).*leaky_relu"),
    "LeakyReLU": (lambda: sequential(layers.Dense(3), layers.LeakyReLU(0.3, name="l")), r"'l' \(Leaky.*0\.3.*0\.01"),
    "relu6": (lambda: sequential(layers.Dense(3, "relu6", name="d")), r"'d' \(Dense\).*relu6"),
    "capped": (lambda: sequential(layers.Dense(3), layers.ReLU(max_value=6, name="r")), r"'r' \(ReLU\).*max_value"),
    "ELU": (lambda: sequential(layers.Dense(3), layers.ELU(0.5, name="e")), r"'e' \(ELU\).*alpha 0\.5"),
    "PReLU": (lambda: sequential(layers.Dense(3), layers.PReLU(name="p")), r"'p' \(PReLU\) is not understood"),
    "log_softmax": (lambda: sequential(layers.Dense(3, "log_softmax")), "log_softmax"),
    "a lambda": (lambda: sequential(layers.Dense(3, lambda z: z)), "lambda"),
    "two": (lambda: sequential(layers.Dense(3, "tanh"), layers.ReLU(name="r")), r"'r' \(ReLU\).*second activation"),
    "first": (lambda: sequential(layers.ReLU(name="r"), layers.Dense(3)), r"'r' \(ReLU\).*before the first"),
    "unknown": (lambda: sequential(layers.LayerNormalization(name="n"), layers.Dense(3)), r"'n' \(LayerNorm"),
    "branch": (branch, r"'sum' \(Add\) takes 2 inputs"),
    "two outputs": (two_ends, "1 inputs and 2 outputs"),
    "rows of rows": (lambda: sequential(layers.Dense(3), inputs=(2, 4)), r"\(None, 2, 4\).*Flatten"),
    "unbuilt": (lambda: keras.Sequential([layers.Dense(3, name="d")]), r"'d' \(Dense\) has no weights yet"),
    "with code": (WithCode, "code of its own"),
    "a class of one's own": (lambda: sequential(Twice(3, name="t")), r"'t' \(Twice\).*no layer of Keras"),
    "no layer": (lambda: sequential(layers.Dropout(0.5)), "no dense layer"),
    "not adapted": (lambda: keras.Sequential([layers.Normalization(name="n"), layers.Dense(3)]), "'n'.*adapt"),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_refused_by_name(row):
    make, words = REFUSED[row]
    with pytest.raises(ValueError, match=words):
        bpnet.from_keras(make())


def test_gelu_by_its_approximation_is_refused():
    def gelu(x):
        return keras.activations.gelu(x, approximate=True)

    with pytest.raises(ValueError, match="'gelu' with the value .* where bpnet's gelu has"):
        bpnet.from_keras(sequential(layers.Dense(3, gelu)))


def test_the_hard_sigmoid_of_older_releases_is_refused():
    """clip(0.2 z + 0.5, 0, 1), under the same name."""

    def hard_sigmoid(z):
        return keras.ops.clip(0.2 * keras.ops.convert_to_tensor(z) + 0.5, 0, 1)

    with pytest.raises(ValueError, match="'hard_sigmoid' with the value"):
        bpnet.from_keras(sequential(layers.Dense(3, hard_sigmoid)))


@pytest.mark.parametrize("thing", [3, None, "model", layers.Dense(3)], ids=repr)
def test_what_is_no_model(thing):
    with pytest.raises(TypeError, match="model is .*must be a Keras model"):
        bpnet.from_keras(thing)
