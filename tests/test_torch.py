"""Networks from and to PyTorch: the same predictions, to rounding, or a complaint that names the module."""

import copy
import pickle
from collections import OrderedDict

import bpnet
import numpy as np
import oracle
import pytest
from nets import bits, random_net

torch = pytest.importorskip("torch")
nn = torch.nn

X = np.random.default_rng(0).normal(scale=2, size=(60, 5))
# Both sides add up at most a dozen products of order 1 in each of three layers, in another order: measured 1 to 4 eps.
ROUNDING = 30
DTYPES = ["float32", "float64"]

MODULES = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "relu": nn.ReLU(),
    "leaky_relu": nn.LeakyReLU(),
    "elu": nn.ELU(),
    "selu": nn.SELU(),
    "softplus": nn.Softplus(threshold=40),
    "softsign": nn.Softsign(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "hard_tanh": nn.Hardtanh(),
    "softmax": nn.Softmax(dim=1),
}


def of(model, x):
    with torch.no_grad():
        return model.eval()(torch.from_numpy(x)).numpy()


def assert_same(net, model, x=X):
    """In the dtype of both, to rounding."""
    x = x.astype(net.dtype)
    expected = of(model, x)
    assert expected.dtype == net.dtype
    atol = ROUNDING * np.finfo(net.dtype).eps * max(1, np.abs(expected).max())
    np.testing.assert_allclose(net.predict(x), expected, rtol=0, atol=atol)


def normalized(net, seed=1):
    rng = np.random.default_rng(seed)
    net.normalize(rng.normal(3, 2, (30, net.sizes[0])), rng.normal(-1, 4, (30, net.sizes[-1])))
    return net


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MODULES)
def test_from_torch(name, dtype):
    module = MODULES[name]
    model = nn.Sequential(nn.Linear(5, 7), module, nn.Linear(7, 4, bias=False), nn.Linear(4, 3), module)
    model = model.to(getattr(torch, dtype))
    net = bpnet.from_torch(model)
    assert net.sizes == (5, 7, 4, 3)
    assert net.activations == (name, "identity", name)
    assert net.dtype == dtype
    assert not net.biases[1].any()
    assert_same(net, model)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", oracle.ALL_ACTIVATIONS)
def test_to_torch_and_back(name, dtype):
    net = random_net([5, 7, 6, 3], name, "identity" if name == "exponential" else name, dtype)
    if name == "exponential":
        net.parameters[:] *= 0.2  # e^(e^z) would overflow
    model = bpnet.to_torch(net)
    assert_same(net, model)
    again = bpnet.from_torch(model)
    assert again.activations == net.activations
    assert bits(again.parameters) == bits(net.parameters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sides", ["x", "y", "xy"])
def test_normalisation_travels_as_modules(sides, dtype):
    net = random_net([5, 7, 3], "tanh", "sigmoid", dtype)
    x, y = 3 * X + 4, np.stack([X[:, 0], 9 * X[:, 1] + 5, X[:, 2]], axis=1)
    net.normalize(x if "x" in sides else None, y if "y" in sides else None)
    model = bpnet.to_torch(net)
    kinds = [type(module).__name__ for module in model]
    assert ("Standardize" in kinds[:1], "Rescale" in kinds[-1:]) == ("x" in sides, "y" in sides)
    assert_same(net, model, x)
    again = bpnet.from_torch(model)
    assert bits(again.predict(x)) == bits(net.predict(x))
    for name in ("input_shift", "input_scale", "output_shift", "output_scale"):
        ours, theirs = getattr(net, name), getattr(again, name)
        assert (ours is None) == (theirs is None)
        assert ours is None or bits(ours) == bits(theirs)


def test_to_torch_is_on_the_cpu_whatever_the_default_is():
    net = random_net([5, 7, 3], "tanh", "sigmoid")
    net.normalize(X, X[:, :3])
    with torch.device("meta"):
        model = bpnet.to_torch(net)
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"cpu"}
    assert_same(net, model)


def test_the_copies_are_independent_and_torch_draws_no_numbers():
    net = random_net([5, 4, 3], dtype="float32")
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    model = bpnet.to_torch(net)
    assert torch.rand(1) == expected
    before = bits(net.parameters)
    with torch.no_grad():
        model[0].weight.zero_()
    assert bits(net.parameters) == before
    again = bpnet.from_torch(model)
    with torch.no_grad():
        model[0].bias.fill_(7)
    assert not (again.biases[0] == 7).any()


def test_a_model_that_to_torch_made_trains_saves_and_pickles(tmp_path):
    net = normalized(random_net([5, 6, 2], "gaussian", "sine", "float32"))
    model = bpnet.to_torch(net)
    model(torch.zeros(3, 5)).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    twin = bpnet.to_torch(normalized(random_net([5, 6, 2], "gaussian", "sine", "float32", seed=9), seed=2))
    torch.save(model.state_dict(), tmp_path / "state")
    twin.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    x = X.astype(np.float32)
    assert bits(of(twin, x)) == bits(of(model, x)) == bits(of(pickle.loads(pickle.dumps(model)), x))


def test_gradients_agree_with_autograd():
    net = random_net([5, 7, 3], "mish", "softplus")
    model = bpnet.to_torch(net)
    x = torch.tensor(X, requires_grad=True)
    y = np.random.default_rng(3).uniform(size=(len(X), 3))
    cost = 0.5 * ((model(x) - torch.tensor(y)) ** 2).sum() / len(X)
    cost.backward()
    g = net.gradient(X, y, wrt=("parameters", "x"))
    rounding = 1e-13  # sums of some hundred products of order 1
    np.testing.assert_allclose(g.x, x.grad, rtol=0, atol=rounding)
    for ours, module in zip(g.weights, (model[0], model[2]), strict=True):
        np.testing.assert_allclose(ours, module.weight.grad, rtol=0, atol=rounding)


def test_what_does_nothing_in_a_prediction():
    core = nn.Sequential(nn.Identity(), nn.Linear(6, 4), nn.Dropout(0.5), nn.Identity(), nn.Tanh(), nn.AlphaDropout())
    model = nn.Sequential(nn.Flatten(), nn.Sequential(), core, nn.Linear(4, 2), nn.Flatten(1))
    net = bpnet.from_torch(model.train())
    assert net.activations == ("tanh", "identity")
    x = np.random.default_rng(0).normal(size=(9, 2, 3)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x.reshape(9, 6)), of(model, x), rtol=0, atol=1e-6)


def test_one_linear_layer_and_one_module_used_twice():
    single = nn.Linear(5, 2)
    assert_same(bpnet.from_torch(single), single)
    square, act = nn.Linear(5, 5), nn.ReLU()
    model = nn.Sequential(square, act, square, act)
    net = bpnet.from_torch(model)
    assert net.sizes == (5, 5, 5)
    assert_same(net, model)


def test_parametrized_weights_are_taken_as_they_are():
    model = nn.Sequential(torch.nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)), nn.Tanh())
    with torch.no_grad():
        model[0].parametrizations.weight.original0.mul_(3)
    assert_same(bpnet.from_torch(model), model)


def batch_norm(n, seed):
    """One that has seen data and learned something."""
    module = nn.BatchNorm1d(n, dtype=torch.float64)
    rng = np.random.default_rng(seed)
    for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
        tensor.data = torch.tensor(rng.uniform(0.5, 2, n))
    return module


@pytest.mark.parametrize("where", ["front", "behind a layer", "behind an activation", "end", "everywhere"])
def test_batch_norm(where):
    parts = [nn.Linear(5, 6).double(), nn.Tanh(), nn.Linear(6, 3).double(), nn.Sigmoid()]
    places = {"end": [(4, 3)], "behind an activation": [(2, 6)], "behind a layer": [(1, 6)], "front": [(0, 5)]}
    for at, n in places.get(where) or [(4, 3), (3, 3), (2, 6), (1, 6), (0, 5)]:
        parts.insert(at, batch_norm(n, at))
    net = bpnet.from_torch(nn.Sequential(*parts))
    assert net.activations == ("tanh", "sigmoid")
    assert (net.input_shift is not None) == (where in ("front", "everywhere"))
    assert (net.output_shift is not None) == (where in ("end", "everywhere"))
    assert_same(net, nn.Sequential(*parts))


def test_a_batch_norm_without_a_bias():
    norm = batch_norm(6, 1)
    norm.bias = None
    model = nn.Sequential(nn.Linear(5, 6).double(), norm, nn.Tanh(), nn.Linear(6, 3).double())
    assert_same(bpnet.from_torch(model), model)


def test_a_batch_norm_with_negative_weights_is_folded():
    front, end = batch_norm(5, 0), batch_norm(3, 1)
    with torch.no_grad():
        front.weight[2] = -1.5
        front.weight[3] = 0
        end.weight[0] = -2
    model = nn.Sequential(front, nn.Linear(5, 3).double(), end)
    net = bpnet.from_torch(model)
    assert net.input_shift is None and net.output_shift is None
    assert_same(net, model)
    with pytest.raises(ValueError, match=r"module 3 \(BatchNorm1d\).*above 0"):
        bpnet.from_torch(nn.Sequential(front, nn.Linear(5, 3).double(), nn.Tanh(), end))


def hooked():
    module = nn.Linear(2, 2)
    module.register_forward_hook(lambda *_: None)
    return module


class Other(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def patched():
    module = nn.Linear(2, 2)
    module.forward = lambda x: 0 * x
    return module


class Called(nn.Sequential):
    def __call__(self, x):
        return 3 * super().__call__(x)


L = nn.Linear(2, 2)
REFUSED = {
    "two activations": (lambda: [L, nn.ReLU(), nn.Tanh()], r"module 2 \(Tanh\).*second activation after module 0"),
    "activation first": (lambda: [nn.Tanh(), L], r"module 0 \(Tanh\).*before the first dense"),
    "unknown": (lambda: [L, nn.LayerNorm(2)], r"module 1 \(LayerNorm\) is not understood"),
    "nested": (lambda: [L, nn.Sequential(nn.Tanh(), nn.Conv1d(1, 1, 1))], r"module 1\.1 \(Conv1d\)"),
    "named": (lambda: {"in": L, "act": nn.PReLU()}, r"module act \(PReLU\)"),
    "log softmax": (lambda: [L, nn.LogSoftmax(dim=1)], r"LogSoftmax.*Softmax"),
    "leaky": (lambda: [L, nn.LeakyReLU(0.2)], r"LeakyReLU.*negative_slope 0\.2.*0\.01"),
    "elu": (lambda: [L, nn.ELU(2.0)], r"ELU.*alpha 2\.0"),
    "gelu": (lambda: [L, nn.GELU("tanh")], r"GELU.*approximate 'tanh'"),
    "hardtanh": (lambda: [L, nn.Hardtanh(0, 6)], r"Hardtanh.*min_val 0"),
    "relu6": (lambda: [L, nn.ReLU6()], r"ReLU6"),
    "softplus beta": (lambda: [L, nn.Softplus(beta=2)], r"Softplus.*beta 2"),
    "softplus threshold": (lambda: [L, nn.Softplus(threshold=5)], r"Softplus.*threshold 5"),
    "softmax over samples": (lambda: [L, nn.Softmax(dim=0)], r"Softmax.*dim 0"),
    "flatten from 0": (lambda: [nn.Flatten(0), L], r"Flatten"),
    "sizes": (lambda: [L, nn.Linear(3, 2)], r"module 1 \(Linear\) takes 3 columns, but gets 2"),
    "half": (lambda: [nn.Linear(2, 2).half()], r"module 0 \(Linear\).*float16.*float\(\)"),
    "two dtypes": (lambda: [L, nn.Linear(2, 2).double()], r"module 1 \(Linear\).*float64.*float32"),
    "no numbers": (lambda: [nn.Linear(2, 2, device="meta")], r"meta"),
    "lazy": (lambda: [nn.LazyLinear(2)], r"LazyLinear.*once"),
    "hooks": (lambda: [L, hooked()], r"module 1 \(Linear\).*hooks"),
    "a forward of its own": (lambda: [L, patched()], r"module 1 \(Linear\) has a forward .* of its own"),
    "a call of its own": (lambda: [L, Called(L)], r"module 1 \(Sequential\) has .* a __call__ of its own"),
    "a class of one's own": (lambda: [L, Other(2, 2)], r"module 1 \(Other\) is not understood"),
    "no layer": (lambda: [nn.Identity()], r"no dense layer"),
    "batch norm without statistics": (lambda: [nn.BatchNorm1d(2, track_running_stats=False), L], r"BatchNorm1d.*stat"),
    "batch norm of another size": (lambda: [nn.BatchNorm1d(3), L], r"module 1 \(Linear\) takes 2 columns, but 3"),
}


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
@pytest.mark.parametrize("row", REFUSED)
def test_refused_by_name_and_position(row):
    make, words = REFUSED[row]
    modules = make()
    model = nn.Sequential(OrderedDict(modules)) if isinstance(modules, dict) else nn.Sequential(*modules)
    with pytest.raises(ValueError, match=words):
        bpnet.from_torch(model)


def test_what_is_no_sequential():
    class Mine(nn.Sequential):
        def forward(self, x):
            return -super().forward(x)

    for model in (3, None, nn.ReLU(), nn.ModuleList([L]), Mine(L)):
        with pytest.raises(TypeError, match=r"(?s)model is .*must be a torch\.nn\.Sequential"):
            bpnet.from_torch(model)
    with pytest.raises(TypeError, match=r"(?s)net is .*must be a bpnet\.Network"):
        bpnet.to_torch(nn.Sequential(L))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_default_softplus_differs_by_its_threshold_only(dtype):
    model = nn.Sequential(nn.Linear(1, 1), nn.Softplus()).to(getattr(torch, dtype))
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[0].bias.fill_(0)
    z = np.linspace(-30, 30, 601, dtype=dtype)[:, np.newaxis]
    difference = np.abs(bpnet.from_torch(model).predict(z) - of(model, z))
    assert difference.max() <= max(np.exp(-20.0), 4 * np.finfo(dtype).eps * 30)  # e^-threshold, or rounding


def test_tensors_go_into_predict():
    net = random_net([5, 3], dtype="float32")
    x = torch.from_numpy(X.astype(np.float32))
    assert bits(net.predict(x)) == bits(net.predict(x.numpy()))


def test_a_deep_copy_of_the_model_is_enough():
    """from_torch holds on to nothing of the model."""
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    state = copy.deepcopy(model.state_dict())
    bpnet.from_torch(model).parameters[:] = 0
    assert all((state[key] == value).all() for key, value in model.state_dict().items())
