"""What `gradient` is asked for, what it gives, and how costs may be named."""

import itertools
import threading

import bpnet
import numpy as np
import pytest
from nets import bits, gradient_bits, random_net

FIELDS = {"parameters": ("flat", "weights", "biases"), "x": ("x",), "layers": ("deltas", "activations")}
EVERYTHING = tuple(FIELDS)
SUBSETS = [c for k in (1, 2, 3) for c in itertools.combinations(FIELDS, k)]


def arrays(value):
    return [value] if isinstance(value, np.ndarray) else list(value)


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    return random_net([3, 5, 2], "tanh", "sigmoid"), rng.normal(size=(70, 3)), rng.uniform(0.1, 0.9, (70, 2))


@pytest.mark.parametrize("wrt", SUBSETS, ids="+".join)
def test_what_was_asked_for_is_there_and_nothing_else(problem, wrt):
    net, x, y = problem
    g, everything = net.gradient(x, y, wrt=wrt), net.gradient(x, y, wrt=EVERYTHING)
    assert g.cost == everything.cost
    for asked, names in FIELDS.items():
        for name in names:
            if asked in wrt:
                for ours, theirs in zip(arrays(getattr(g, name)), arrays(getattr(everything, name)), strict=True):
                    assert bits(ours) == bits(theirs)
            else:
                with pytest.raises(AttributeError, match=r"wrt.*" + asked):
                    getattr(g, name)


@pytest.mark.parametrize("wrt", FIELDS)
def test_a_single_name_is_a_tuple_of_one(problem, wrt):
    net, x, y = problem
    for name in FIELDS[wrt]:
        one, other = getattr(net.gradient(x, y, wrt=wrt), name), getattr(net.gradient(x, y, wrt=(wrt,)), name)
        assert [bits(a) for a in arrays(one)] == [bits(a) for a in arrays(other)]


def test_parameters_are_the_default(problem):
    net, x, y = problem
    g = net.gradient(x, y)
    assert bits(g.flat) == bits(net.gradient(x, y, wrt="parameters").flat)
    with pytest.raises(AttributeError, match="wrt"):
        g.x  # noqa: B018
    with pytest.raises(AttributeError, match="no_such_thing"):
        g.no_such_thing  # noqa: B018


def test_weights_and_biases_are_parts_of_flat(problem):
    net, x, y = problem
    g = net.gradient(x, y)
    assert g.flat.shape == net.parameters.shape
    flat = np.concatenate([part for W, b in zip(g.weights, g.biases, strict=True) for part in (W.ravel("F"), b)])
    assert bits(flat) == bits(g.flat)
    assert [W.shape for W in g.weights] == [(5, 3), (2, 5)]
    assert all(np.shares_memory(a, g.flat) for a in (*g.weights, *g.biases))


def test_shapes_and_types(problem):
    net, x, y = problem
    g = net.gradient(x, y, wrt=EVERYTHING)
    assert type(g.cost) is float
    assert isinstance(g, bpnet.Gradient)
    assert [d.shape for d in g.deltas] == [(70, 5), (70, 2)]
    assert [a.shape for a in g.activations] == [(70, 3), (70, 5), (70, 2)]
    assert g.x.shape == (70, 3)
    assert {a.dtype for a in (g.flat, g.x, *g.deltas, *g.activations)} == {np.dtype("float64")}


def test_two_gradients_share_nothing(problem):
    net, x, y = problem
    first = net.gradient(x, y, wrt=EVERYTHING)
    kept = gradient_bits(first)
    net.gradient(-x, y, wrt=EVERYTHING)
    net.parameters[...] = 0
    assert gradient_bits(first) == kept


def test_gradients_are_of_the_number_in_cost(problem):
    """Mean, sum and weights are one factor at (BP1): everything scales with it."""
    net, x, y = problem
    mean = net.gradient(x, y, wrt=EVERYTHING)
    total = net.gradient(x, y, wrt=EVERYTHING, reduction="sum")
    rtol = 1e-13  # a factor that enters first instead of last: a few eps, more where terms cancel
    for name in ("cost", "flat", "x"):
        np.testing.assert_allclose(70 * getattr(mean, name), getattr(total, name), rtol=rtol, atol=1e-15)
    for a, b in zip(mean.deltas + mean.activations, total.deltas + total.activations, strict=True):
        np.testing.assert_allclose(70 * a, b, rtol=rtol, atol=1e-15)


def test_a_weight_of_zero_removes_a_sample(problem):
    net, x, y = problem
    w = np.ones(70)
    w[3:] = 0
    g, want = net.gradient(x, y, sample_weight=w, wrt=EVERYTHING), net.gradient(x[:3], y[:3], wrt=EVERYTHING)
    np.testing.assert_allclose(g.flat, want.flat, rtol=1e-13)
    assert not g.x[3:].any()
    assert g.cost == pytest.approx(want.cost, rel=1e-14)


def test_names_objects_and_callables_agree(problem):
    net, x, y = problem
    rows = [
        ("quadratic", bpnet.Quadratic(), lambda a, y: (((a - y) ** 2).sum(1) / 2, a - y)),
        ("absolute", bpnet.Absolute(), lambda a, y: (abs(a - y).sum(1), np.sign(a - y))),
        ("huber", bpnet.Huber(), None),
        ("log_cosh", bpnet.LogCosh(), lambda a, y: (np.log(np.cosh(a - y)).sum(1), np.tanh(a - y))),
        ("poisson", bpnet.Poisson(), lambda a, y: ((a - y * np.log(a)).sum(1), 1 - y / a)),
        ("quantile", bpnet.Quantile(), None),
        ("binary_cross_entropy", bpnet.BinaryCrossEntropy(), None),
        ("cross_entropy", bpnet.CrossEntropy(), lambda a, y: (-(y * np.log(a)).sum(1), -y / a)),
    ]
    for name, made, function in rows:
        want = net.gradient(x, y, cost=name, wrt=EVERYTHING)
        assert gradient_bits(net.gradient(x, y, cost=made, wrt=EVERYTHING)) == gradient_bits(want)
        assert net.cost(x, y, cost=made) == net.cost(x, y, name) == want.cost
        if function:
            g = net.gradient(x, y, cost=function, wrt=EVERYTHING)
            np.testing.assert_allclose(g.flat, want.flat, rtol=1e-11, atol=1e-15)  # (a - y) is formed once more
            np.testing.assert_allclose(g.x, want.x, rtol=1e-11, atol=1e-15)
            assert g.cost == pytest.approx(want.cost, rel=1e-13)


def test_a_callable_sees_each_row_once_in_tiles(problem):
    net, x, _ = problem
    x = np.concatenate([x, x, x])
    y = np.column_stack([np.arange(210.0), np.arange(210.0)])
    seen = []

    def cost(a, y):
        assert a.shape == y.shape
        assert a.shape[0] <= 64
        assert a.dtype == y.dtype == np.float64
        seen.extend(y[:, 0])
        return np.zeros(len(a)), np.zeros_like(a)

    assert net.gradient(x, y, cost=cost, threads=1).cost == 0
    assert sorted(seen) == list(range(210))


@pytest.mark.parametrize(
    ("result", "complaint"),
    [
        (lambda a: None, "cost"),
        (lambda a: (np.zeros(len(a)), np.zeros((len(a), 7))), "cost"),
        (lambda a: (np.zeros(len(a) + 1), a), "cost"),
        (lambda a: np.zeros(len(a)), "cost"),
    ],
)
def test_a_callable_that_answers_wrongly_is_told_so(problem, result, complaint):
    net, x, y = problem
    with pytest.raises((TypeError, ValueError), match=complaint):
        net.gradient(x, y, cost=lambda a, y: result(a))


def test_exceptions_of_a_callable_arrive(problem):
    net, x, y = problem

    def cost(a, y):
        raise KeyError("mine")

    for threads in (1, 3):
        with pytest.raises(KeyError, match="mine"):
            net.gradient(x, y, cost=cost, threads=threads)
    assert np.isfinite(net.gradient(x, y).cost)


def test_a_callable_may_use_the_network(problem):
    net, x, y = problem

    def cost(a, y):
        assert net.predict(x[:1]).shape == (1, 2)
        return ((a - y) ** 2).sum(1) / 2, a - y

    np.testing.assert_allclose(net.gradient(x, y, cost=cost).flat, net.gradient(x, y).flat, rtol=1e-12, atol=1e-16)


def test_networks_inside_a_cost_inside_a_fit(problem):
    """A cost that trains on what another network says: both keep their scratch apart."""
    given, x, y = problem
    net, twin, teacher = given.copy(), given.copy(), random_net([3, 70, 9, 2], "sine", "sigmoid", seed=9)

    def plain(a, y):
        return ((a - y) ** 2).sum(1) / 2, a - y

    def busy(a, y):
        teacher.gradient(x, teacher.predict(x), wrt=("x", "parameters", "layers"))
        net.gradient(x[:9], y[:9] if len(y) > 8 else np.zeros((9, 2)), cost=plain)
        return plain(a, y)

    for each, cost in ((net, busy), (twin, plain)):
        each.fit(x, y, cost=cost, epochs=2, batch_size=16, optimizer="sgd")
    assert bits(net.parameters) == bits(twin.parameters)


def test_a_callable_works_from_another_thread(problem):
    net, x, y = problem
    got = []
    work = threading.Thread(
        target=lambda: got.append(net.gradient(x, y, cost=lambda a, y: ((a - y).sum(1), 0 * a + 1)).cost)
    )
    work.start()
    work.join(60)
    assert got == [pytest.approx((net.predict(x) - y).sum() / 70)]


def test_classes_fit_cross_entropy_in_every_integer_type():
    net = random_net([3, 4, 3], "tanh", "softmax")
    x = np.random.default_rng(0).normal(size=(4, 3))
    labels = [2, 0, 1, 1]
    want = gradient_bits(net.gradient(x, np.eye(3)[labels], cost="cross_entropy", wrt=EVERYTHING))
    for dtype in (int, "int8", "uint8", "int16", "uint32", "uint64", ">i4"):
        g = net.gradient(x, np.array(labels, dtype), cost="cross_entropy", wrt=EVERYTHING)
        assert gradient_bits(g) == want, dtype
    assert gradient_bits(net.gradient(x, labels, cost="cross_entropy", wrt=EVERYTHING)) == want


def test_costs_are_immutable_keyword_only_and_comparable():
    assert bpnet.Huber(delta=2.0) == bpnet.Huber(delta=2.0) != bpnet.Huber(delta=1.0)
    assert len({bpnet.Quantile(q=0.1), bpnet.Quantile(q=0.1)}) == 1
    with pytest.raises(AttributeError):
        bpnet.Huber().delta = 3.0
    with pytest.raises(TypeError):
        bpnet.Huber(2.0)
