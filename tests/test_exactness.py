"""float64 against mpmath: every array of a gradient to 1e-13 in its norm, for every activation, cost and depth.

The bound is the promise of docs (Numerics). The numbers going in are exact in binary, and the problems are conditioned
so that rounding alone stays ten times below the bound.
"""

import bpnet
import numpy as np
import oracle
import pytest
from nets import build, dyadic, random_parameters

BOUND = 1e-13
PARAMETRISED = {"huber": ("delta", 0.75, bpnet.Huber), "quantile": ("q", 0.25, bpnet.Quantile)}


def check(weights, biases, activations, x, y, cost, cost_object=None, parameter=None, cost_bound=BOUND, **options):
    """All arrays, the forward pass and the cost of one problem."""
    net = build(weights, biases, activations)
    g = net.gradient(x, y, cost=cost_object or cost, wrt=("parameters", "x", "layers"), **options)
    forward = net.forward(x)
    want = oracle.gradient(weights, biases, activations, x, y, cost, parameter, **options)
    got = {name: getattr(g, name) for name in ("weights", "biases", "deltas", "activations")}
    got |= {"z": forward.z, "a": forward.a}
    far = {"x": oracle.distance(g.x, want["x"])}
    for name, arrays in got.items():
        assert len(arrays) == len(want[name]), name
        far |= {f"{name}[{i}]": oracle.distance(a, w) for i, (a, w) in enumerate(zip(arrays, want[name], strict=True))}
    too_far = {name: d for name, d in far.items() if d > BOUND}
    assert not too_far
    assert abs(g.cost - float(want["cost"])) <= cost_bound * max(abs(float(want["cost"])), 1e-300)
    assert g.cost == net.cost(x, y, cost_object or cost, **options)
    return g


def pairs(activations, costs=oracle.COSTS):
    return [(activation, cost) for activation in activations for cost in costs if oracle.allowed(activation, cost)]


def targets(rng, cost, activation, shape):
    """Targets the cost is made for: never equal to an output, and not all on one side of softmax's."""
    if cost == "cross_entropy" or activation == "softmax":
        y = rng.integers(1, 6, shape).astype(float)
        return y / 16 + (np.arange(shape[1]) == 1) * (16 - y.sum(1, keepdims=True)) / 16  # rows sum to 1 exactly
    if cost == "binary_cross_entropy":
        return rng.integers(0, 9, shape) / 8
    if cost == "poisson":
        return rng.integers(1, 5, shape).astype(float)
    return dyadic(rng, shape, 1, 8) + 1 / 64


@pytest.mark.parametrize("cost", oracle.COSTS)
@pytest.mark.parametrize("activation", oracle.ALL_ACTIVATIONS)
def test_every_activation_with_every_cost_at_depth_1_to_4(activation, cost):
    output = activation if oracle.allowed(activation, cost) else "sigmoid"
    for depth in (1, 2, 3, 4):
        rng = np.random.default_rng([depth, 1])
        sizes = [2, *(3 for _ in range(depth))]
        weights, biases = random_parameters(rng, sizes)
        if output == "relu" and cost == "poisson":  # outputs above 0: at 0 the cost is infinite
            biases[-1] = abs(biases[-1]) + 2
        if output == "hard_sigmoid":  # between the kinks
            biases[-1] = biases[-1] / 4
        x = dyadic(rng, (3, 2), 1, 8)
        check(weights, biases, [activation] * (depth - 1) + [output], x, targets(rng, cost, output, (3, 3)), cost)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sample_weight", [None, [1, 1, 1, 1], [0.5, 0, 2, 1.25]], ids=["none", "ones", "mixed"])
@pytest.mark.parametrize("cost", oracle.COSTS)
def test_sample_weights_and_reductions(cost, sample_weight, reduction):
    rng = np.random.default_rng(2)
    weights, biases = random_parameters(rng, [2, 3, 2])
    output = "softmax" if cost == "cross_entropy" else "sigmoid"
    x, y = dyadic(rng, (4, 2), 1, 8), targets(rng, cost, output, (4, 2))
    check(weights, biases, ["tanh", output], x, y, cost, sample_weight=sample_weight, reduction=reduction)


@pytest.mark.parametrize("cost", PARAMETRISED)
def test_costs_with_a_parameter(cost):
    name, value, make = PARAMETRISED[cost]
    rng = np.random.default_rng(3)
    weights, biases = random_parameters(rng, [2, 3, 2])
    x, y = dyadic(rng, (4, 2), 1, 8), dyadic(rng, (4, 2), 2, 8)
    check(weights, biases, ["tanh", "identity"], x, y, cost, make(**{name: value}), value)


def test_softmax_in_a_hidden_layer_between_others():
    rng = np.random.default_rng(4)
    weights, biases = random_parameters(rng, [2, 4, 3, 2])
    x, y = dyadic(rng, (3, 2), 1, 8), dyadic(rng, (3, 2), 1, 8)
    check(weights, biases, ["sine", "softmax", "tanh"], x, y, "quadratic")


@pytest.mark.parametrize("cost", ["cross_entropy", "binary_cross_entropy", "poisson"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_the_gradient_is_that_of_the_cost_for_targets_that_do_not_sum_to_one(output, cost):
    weights, biases = random_parameters(np.random.default_rng(5), [2, 3])
    y = np.array([[0.75, 0.5, 0.25], [0.25, 0, 0.125], [0, 0, 0]])
    check(weights, biases, [output], np.array([[1, 0.5], [-0.5, 0.25], [1, 1]]), y, cost)


# ---- saturated units -------------------------------------------------------------------------------------------------

LOG_COSTS = ("poisson", "binary_cross_entropy", "cross_entropy")
SATURATED = np.array([[20, -24.5, 31], [-20, 27.25, -40], [40, -36, 22], [-33, -21, 35.5]])


def saturated_z(activation, cost):
    """z of four samples, where the cost is finite."""
    z = SATURATED
    if activation == "gaussian":  # beyond |z| = 27 exp(-z^2) is below the smallest number
        z = np.clip(z, -26, 26)
    if activation == "exponential" and cost in ("log_cosh", "quadratic"):
        z = np.clip(z, -40, 31)
    if cost in LOG_COSTS and activation in ("relu", "hard_sigmoid"):
        z = abs(z)  # away from log 0
    return z


@pytest.mark.parametrize(("activation", "cost"), pairs(oracle.ALL_ACTIVATIONS))
def test_saturated_outputs(activation, cost):
    z = saturated_z(activation, cost)
    y = targets(np.random.default_rng(6), cost, activation, z.shape)
    if activation == "hard_sigmoid" and cost == "binary_cross_entropy":
        y = np.ones_like(y)  # a is 1 exactly, so is y
    for row, target in zip(z, y, strict=True):  # one sample a batch: small rows must not hide behind large ones
        check([np.eye(3)], [np.zeros(3)], [activation], row[None], target[None], cost)


LIMITS = {"sigmoid": (0, 1), "tanh": (-1, 1), "elu": (-1,), "hard_sigmoid": (0, 1), "hard_tanh": (-1, 1)}


@pytest.mark.parametrize(("activation", "cost"), pairs(LIMITS))
def test_saturated_outputs_that_meet_their_target(activation, cost):
    """y is the limit, which a rounds to: a - y is e^-20 to e^-80, not 0."""
    for limit in LIMITS[activation]:
        up = limit == 1
        for z in (20, 24.5, 31, 36, 40):
            x = np.array([[z, z + 0.25] if up else [-z, -z - 0.25]])
            y = np.full((1, 2), float(limit))
            # the cost itself, unlike its gradient, may round to 0 where it is formed from a
            exact_cost = activation == "sigmoid" and cost == "binary_cross_entropy"
            check_gradient_only = {} if exact_cost else {"cost_bound": np.inf}
            check([np.eye(2)], [np.zeros(2)], [activation], x, y, cost, **check_gradient_only)


@pytest.mark.parametrize(("activation", "cost"), pairs(["gaussian", "exponential"]))
def test_outputs_that_nearly_meet_a_target_of_one(activation, cost):
    """a rounds to 1 near z = 0, and a - y is -z^2 or z."""
    for z in (2**-7, 2**-20, 2**-30):
        check([np.eye(2)], [np.zeros(2)], [activation], np.array([[z, -z]]), np.ones((1, 2)), cost, cost_bound=np.inf)


@pytest.mark.parametrize("cost", oracle.COSTS)
def test_saturated_softmax_that_meets_its_target(cost):
    y = np.array([[1.0, 0, 0]])
    for top in (20, 31, 40):
        x = np.array([[top, 0, 0.5]])
        bound = BOUND if cost == "cross_entropy" else np.inf
        check([np.eye(3)], [np.zeros(3)], ["softmax"], x, y, cost, cost_bound=bound)


@pytest.mark.parametrize("cost", ["quadratic", "binary_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_saturated_outputs_that_miss_their_target(output, cost):
    x = np.array([[40, -36, 20.0]])
    check([np.eye(3)], [np.zeros(3)], [output], x, np.array([[0.0, 1, 0]]), cost)


@pytest.mark.parametrize("z", [50.0, 700.0, 1e4, 1e30])
@pytest.mark.parametrize(("output", "cost"), [("sigmoid", "binary_cross_entropy"), ("softmax", "cross_entropy")])
def test_cross_entropies_never_overflow(output, cost, z):
    net = build([np.eye(2)], [np.zeros(2)], [output])
    g = net.gradient([z, -z], [0.0, 1.0], cost=cost, wrt="layers")
    assert g.cost == 2 * z
    assert g.deltas[0].tolist() == [1, -1]


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("activation", oracle.ALL_ACTIVATIONS)
def test_saturated_hidden_layers(activation, depth):
    """Every unit of the first hidden layer far out, the later ones wherever that leads."""
    rng = np.random.default_rng([depth, 7])
    weights, biases = random_parameters(rng, [2, *(2 for _ in range(depth))], limit=0.5)
    biases[0] = np.array([30.0, -28.0] if activation != "exponential" else [-22.0, -28.0])
    if activation == "gaussian":
        biases[0] /= 4  # e^-56; at 30 everything below is 0
    x, y = dyadic(rng, (2, 2), 1, 8), dyadic(rng, (2, 2), 1, 8) + 1 / 64
    check(weights, biases, [activation] * (depth - 1) + ["identity"], x, y, "quadratic")


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize(
    ("output", "cost"), [("sigmoid", "quadratic"), ("softmax", "cross_entropy"), ("tanh", "huber")]
)
def test_saturated_outputs_below_other_layers(output, cost, depth):
    """|z^L| up to 26: rounding z^L costs |z| eps, which f' (a - y) feels four times over (tanh)."""
    rng = np.random.default_rng([depth, 8])
    weights, biases = random_parameters(rng, [2, *(2 for _ in range(depth))], limit=0.25)
    biases[-1] = np.array([25.0, -23.0])
    y = np.array([[1.0, -1.0 if output == "tanh" else 0.0]] * 2)
    bound = BOUND if cost == "cross_entropy" else np.inf
    x = dyadic(rng, (2, 2), 1, 8)
    check(weights, biases, ["sigmoid"] * (depth - 1) + [output], x, y, cost, cost_bound=bound)


# ---- kinks -----------------------------------------------------------------------------------------------------------

KINKS = {  # kinks and the derivative from the left
    "relu": [(0.0, 0.0)],
    "leaky_relu": [(0.0, 0.01)],
    "elu": [(0.0, 1.0)],
    "selu": [(0.0, 1.7580993408473766)],
    "hard_sigmoid": [(-3.0, 0.0), (3.0, 1 / 6)],
    "hard_tanh": [(-1.0, 0.0), (1.0, 1.0)],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("activation", KINKS)
def test_the_derivative_at_a_kink_is_the_left_one(activation, zero, dtype):
    for z, slope in KINKS[activation]:
        net = build([np.ones((1, 1))], [np.zeros(1)], [activation], dtype)
        a = net.predict([z + zero])
        g = net.gradient([z + zero], a - 1, wrt="layers")  # dC/da = 1
        assert g.deltas[0].item() == pytest.approx(slope, rel=2 * float(np.finfo(dtype).eps), abs=0)


@pytest.mark.parametrize("activation", KINKS)
def test_kinks_between_layers(activation):
    kink = KINKS[activation][-1][0]
    biases = [np.array([kink - 0.25, kink - 0.5]), np.array([0.25, -0.25])]
    weights = [np.array([[0.25, 0.5], [1, -1]]), np.array([[1, 0.5], [-0.5, 0.25]])]
    x = np.array([[1, 0], [0.75, 0.25], [0, 0.5]])  # on a kink in unit 1, 2, 1
    check(weights, biases, [activation, "identity"], x, np.ones((3, 2)), "quadratic")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "cost", ["absolute", "quantile", "quadratic", "huber", "log_cosh", bpnet.Quantile(q=0.9)], ids=str
)
def test_costs_have_derivative_zero_where_output_equals_target(cost, dtype):
    net = build([np.eye(2)], [np.zeros(2)], ["identity"], dtype)
    g = net.gradient([0.5, -3.0], [0.5, -3.0], cost=cost, wrt=("x", "layers"))
    assert g.cost == 0
    assert not g.deltas[0].any()
    assert not g.x.any()


@pytest.mark.parametrize(("activation", "cost"), pairs(["hard_sigmoid", "relu"], LOG_COSTS))
def test_zero_times_log_zero_is_zero(activation, cost):
    check([np.eye(2)], [np.zeros(2)], [activation], np.array([[-5, 1.0]]), np.array([[0, 0.5]]), cost)
