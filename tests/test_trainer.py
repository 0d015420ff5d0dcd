"""Training: what steps, Trainer and fit promise each other."""

import warnings

import bpnet
import numpy as np
import pytest
from nets import bits
from small_problem import batches, make, samples


@pytest.fixture
def data():
    return samples()


# ---- steps, fit, fit_batches and apply are one thing -----------------------------------------------------------------

OPTIMIZERS = ["sgd", "rmsprop", "adam", "adamw", bpnet.SGD(learning_rate=0.1, momentum=0.9, nesterov=True)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_steps_by_hand_equal_fit_bit_for_bit(optimizer, dtype, data):
    x, y = data
    w = np.random.default_rng(1).uniform(0.5, 2, len(x))
    options = {"cost": "huber", "optimizer": optimizer, "l1": 1e-3, "l2": 1e-2}
    nets = [make(dtype=dtype) for _ in range(3)]
    trainers = [bpnet.Trainer(net, **options) for net in nets]
    history = trainers[0].fit(x, y, epochs=3, batch_size=8, shuffle=False, sample_weight=w)
    rows = [slice(i, i + 8) for _ in range(3) for i in range(0, 30, 8)]
    costs = [trainers[1].step(x[r], y[r], sample_weight=w[r]) for r in rows]
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    sums = [w[r].sum() for r in rows[:4]]
    np.testing.assert_allclose(
        history.cost, np.reshape(costs, (3, 4)) @ sums / sum(sums), rtol=1e-6 if dtype == "float32" else 1e-13
    )
    nets[2].fit(x, y, epochs=3, batch_size=8, shuffle=False, sample_weight=w, **options)
    assert bits(nets[0].parameters) == bits(nets[2].parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_batches_equals_steps(dtype, data):
    nets = [make(dtype=dtype) for _ in range(3)]
    one, other, third = (bpnet.Trainer(net, cost="quadratic", optimizer="adam") for net in nets)
    history = one.fit_batches(batches(*data), epochs=2)
    for a, b in batches(*data, epochs=2):
        other.step(a, b)
    third.fit_batches(iter(batches(*data)), epochs=1)
    third.fit_batches(pair for pair in batches(*data))
    assert bits(nets[0].parameters) == bits(nets[1].parameters) == bits(nets[2].parameters)
    assert one.steps == other.steps == third.steps == history.steps == 8
    assert len(history.cost) == 2


def test_an_iterator_is_refused_for_several_epochs(data):
    net = make()
    before = bits(net.parameters)
    with pytest.raises((TypeError, ValueError), match="batches"):
        bpnet.Trainer(net, cost="quadratic", optimizer="adam").fit_batches(iter(batches(*data)), epochs=2)
    assert bits(net.parameters) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_apply_equals_step(optimizer, dtype, data):
    nets = [make(dtype=dtype) for _ in range(3)]
    trainers = [bpnet.Trainer(net, cost="quadratic", optimizer=optimizer) for net in nets]
    for a, b in batches(*data, epochs=2):
        trainers[0].step(a, b)
        trainers[1].apply(nets[1].gradient(a, b))
        trainers[2].apply(nets[2].gradient(a, b).flat)
    assert bits(nets[0].parameters) == bits(nets[1].parameters) == bits(nets[2].parameters)
    assert trainers[1].steps == trainers[0].steps


def test_a_trainer_goes_on_where_it_stopped(data):
    x, y = data
    nets = [make() for _ in range(2)]
    whole, parts = (bpnet.Trainer(net, cost="quadratic", optimizer="adam", seed=1) for net in nets)
    whole.fit(x, y, epochs=5, batch_size=8)
    parts.fit(x, y, epochs=2, batch_size=8)
    parts.fit(x, y, epochs=3, batch_size=8)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    assert whole.epochs == parts.epochs == 5
    assert whole.net is nets[0]


def test_fit_starts_afresh_each_time(data):
    x, y = data
    net = make()
    options = {"optimizer": "adam", "epochs": 2, "batch_size": 8, "seed": 1}
    net.fit(x, y, **options)
    twin = net.copy()
    net.fit(x, y, **options)
    bpnet.Trainer(twin, cost="quadratic", optimizer="adam", seed=1).fit(x, y, epochs=2, batch_size=8)
    assert bits(net.parameters) == bits(twin.parameters)


# ---- seeds and the order of samples ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_runs_from_one_seed_end_in_identical_bits(dtype, data):
    x, y = data

    def run(net_seed, fit_seed):
        net = make(net_seed, dtype)
        net.fit(x, y, epochs=4, batch_size=7, seed=fit_seed)
        return bits(net.parameters)

    assert run(1, 2) == run(1, 2)
    assert run(1, 2) != run(1, 3)
    assert run(1, None) == run(1, None)  # the network's seed fixes the shuffling too
    assert run(1, np.random.default_rng(5)) == run(1, np.random.default_rng(5))


def visited(m, epochs=1, batch_size=8, **options):
    """The rows in the order in which training meets them: the targets tell."""
    net = bpnet.Network([1, 1], output_activation="identity", init="zeros", dtype="float64", seed=0)
    seen = []

    def cost(a, y):
        seen.extend(int(v) for v in y[:, 0])
        return np.zeros(len(a)), np.zeros_like(a)

    net.fit(np.zeros((m, 1)), np.arange(m), cost=cost, epochs=epochs, batch_size=batch_size, threads=1, **options)
    return [seen[i : i + m] for i in range(0, len(seen), m)]


@pytest.mark.parametrize("m", [1, 2, 3, 10, 64, 65, 1000, 1024, 1025, 3000])
def test_an_epoch_visits_every_row_once(m):
    orders = visited(m, epochs=3, seed=1)
    assert len(orders) == 3
    for order in orders:
        assert sorted(order) == list(range(m))


def test_shuffled_orders_differ_by_epoch_and_seed_and_repeat():
    first, second = visited(300, epochs=2, seed=1)
    assert first != second != list(range(300))
    assert visited(300, epochs=2, seed=1) == [first, second]
    assert visited(300, seed=2) != [first]
    assert visited(300, epochs=2, seed=1, batch_size=50) == [first, second]
    assert visited(300, epochs=2, shuffle=False) == [list(range(300))] * 2


def test_the_orders_of_a_seed_stay():
    """Recorded from the first release: whoever repeats an old training meets the rows in the old order."""
    assert visited(12, epochs=2, seed=1) == [
        [2, 5, 7, 8, 10, 4, 11, 0, 3, 1, 9, 6],
        [5, 7, 11, 1, 10, 4, 9, 2, 0, 3, 8, 6],
    ]
    assert visited(2000, seed=1)[0][:8] == [418, 1759, 741, 71, 1149, 1502, 1829, 525]


def test_one_minibatch_of_all_rows_is_taken_as_it_comes(data):
    """So a step by hand is the same. Where the cost can tell, rows are shuffled all the same."""
    x, y = data
    nets = [make() for _ in range(4)]
    nets[0].fit(x, y, epochs=3, batch_size=len(x), seed=4)
    nets[1].fit(x, y, epochs=3, batch_size=10 * len(x), shuffle=False)
    trainer = bpnet.Trainer(nets[2])
    for _ in range(3):
        trainer.step(x, y)
    assert bits(nets[0].parameters) == bits(nets[1].parameters) == bits(nets[2].parameters)
    nets[3].fit(x, y, epochs=3, batch_size=len(x) - 1, seed=4)
    assert bits(nets[3].parameters) != bits(nets[0].parameters)
    assert visited(30, epochs=2, seed=4, batch_size=30)[0] != list(range(30))


@pytest.mark.parametrize("m", [200, 2000])
def test_shuffled_rows_are_spread(m):
    """Mean displacement of a random permutation is m/3; neighbours do not stay neighbours."""
    for order in visited(m, epochs=3, seed=3):
        order = np.array(order)
        assert abs(abs(order - np.arange(m)).mean() / (m / 3) - 1) < 0.25
        assert (abs(np.diff(order)) == 1).mean() < 0.05
        assert abs(np.corrcoef(order, np.arange(m))[0, 1]) < 5 / m**0.5


def test_every_row_comes_first_sometimes():
    firsts = [order[0] for order in visited(5, epochs=200, seed=4)]
    assert set(firsts) == set(range(5))
    assert max(firsts.count(k) for k in range(5)) < 70  # 40 expected, deviation 5.7


@pytest.mark.parametrize(("m", "batch_size", "steps"), [(30, 8, 4), (32, 8, 4), (30, 100, 1), (30, 30, 1), (3, 1, 3)])
def test_the_last_batch_may_be_smaller(m, batch_size, steps, data):
    x, y = (np.resize(a, (m, a.shape[1])) for a in data)
    assert make().fit(x, y, epochs=2, batch_size=batch_size).steps == 2 * steps


# ---- sample weights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [bpnet.SGD(learning_rate=0.1, momentum=0.9), "adam"], ids=str)
def test_a_batch_of_weight_zero_is_skipped(optimizer, data):
    x, y = data
    w = np.ones(30)
    w[8:16] = 0
    nets = [make() for _ in range(2)]
    trainers = [bpnet.Trainer(net, cost="quadratic", optimizer=optimizer) for net in nets]
    trainers[0].fit(x, y, epochs=1, batch_size=8, shuffle=False, sample_weight=w)
    for a, b in [batches(x, y)[i] for i in (0, 2, 3)]:
        trainers[1].step(a, b)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    before = bits(nets[1].parameters)
    trainers[1].step(x[:3], y[:3], sample_weight=np.zeros(3))
    assert bits(nets[1].parameters) == before


def test_a_weight_of_two_is_a_row_twice(data):
    x, y = data
    w = np.where(np.arange(30) % 3, 1, 2)
    nets = [make() for _ in range(2)]
    nets[0].fit(x, y, epochs=5, batch_size=30, shuffle=False, sample_weight=w)
    nets[1].fit(np.repeat(x, w, axis=0), np.repeat(y, w, axis=0), epochs=5, batch_size=60, shuffle=False)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-10)


# ---- validation, history, callback -----------------------------------------------------------------------------------


def test_validation(data):
    x, y = data
    w = np.linspace(0, 1, 10)
    costs = []

    def callback(trainer, epoch, history):
        costs.append([trainer.net.cost(x[20:], y[20:], "absolute", sample_weight=v) for v in (None, w)])

    options = {"cost": "absolute", "epochs": 3, "batch_size": 8, "seed": 0, "callback": callback}
    nets = [make() for _ in range(4)]
    plain = nets[0].fit(x[:20], y[:20], validation=(x[20:], y[20:]), **options)
    weighted = nets[1].fit(x[:20], y[:20], validation=(x[20:], y[20:], w), **options)
    fraction = nets[2].fit(x, y, validation=1 / 3, **options)
    nothing = nets[3].fit(x[:20], y[:20], **options)
    np.testing.assert_allclose(plain.validation_cost, [c[0] for c in costs[:3]], rtol=1e-14)
    np.testing.assert_allclose(weighted.validation_cost, [c[1] for c in costs[:3]], rtol=1e-14)
    assert fraction.validation_cost == plain.validation_cost
    assert nothing.validation_cost == []
    assert plain.cost == weighted.cost == fraction.cost == nothing.cost
    assert len({bits(net.parameters) for net in nets}) == 1


def test_history(data):
    x, y = data
    history = make().fit(x, y, epochs=4, batch_size=8)
    assert isinstance(history, bpnet.History)
    assert len(history.cost) == 4
    assert all(type(c) is float for c in history.cost)
    assert history.cost[-1] < history.cost[0]
    assert history.steps == 16
    assert history.stopped_by == "epochs"
    assert history.seconds > 0


def test_no_epochs_do_nothing(data):
    net = make()
    before = bits(net.parameters)
    history = net.fit(*data, epochs=0)
    assert (history.cost, history.steps, history.stopped_by) == ([], 0, "epochs")
    assert bits(net.parameters) == before


def test_callback(data):
    seen = []
    net = make()
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer="adam")

    def callback(given, epoch, history):
        assert given is trainer
        seen.append((epoch, given.epochs, len(history.cost), given.net.predict(data[0]).sum()))

    history = trainer.fit(*data, epochs=3, callback=callback)
    assert [s[:3] for s in seen] == [(0, 1, 1), (1, 2, 2), (2, 3, 3)]
    assert seen[-1][3] == net.predict(data[0]).sum()
    assert len({s[3] for s in seen}) == 3
    assert history.stopped_by == "epochs"


def test_a_true_return_stops(data):
    nets = [make() for _ in range(2)]
    history = nets[0].fit(*data, epochs=10, seed=0, callback=lambda trainer, epoch, history: epoch == 2)
    nets[1].fit(*data, epochs=3, seed=0)
    assert history.stopped_by == "callback"
    assert len(history.cost) == 3
    assert bits(nets[0].parameters) == bits(nets[1].parameters)


def test_a_callback_may_change_the_parameters(data):
    """Pruning, averaging: the next epoch goes on from what the callback wrote."""
    nets = [make() for _ in range(2)]
    nets[0].fit(
        *data,
        epochs=2,
        shuffle=False,
        optimizer="sgd",
        callback=lambda t, e, h: t.net.parameters.fill(0.125) if e == 0 else None,
    )
    nets[1].parameters[...] = 0.125
    nets[1].fit(*data, epochs=1, shuffle=False, optimizer="sgd")
    assert bits(nets[0].parameters) == bits(nets[1].parameters)


def test_progress_shows_and_changes_nothing(data, capfd):
    pytest.importorskip("tqdm")
    nets = [make() for _ in range(2)]
    nets[0].fit(*data, epochs=2, progress=True)
    nets[1].fit(*data, epochs=2)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)
    out, err = capfd.readouterr()
    assert "2" in out + err


# ---- it learns -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_xor(dtype):
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    net = bpnet.Network([2, 8, 1], "tanh", "sigmoid", dtype=dtype, seed=1)
    net.fit(x, y, cost="binary_cross_entropy", optimizer=bpnet.Adam(learning_rate=0.05), epochs=400, batch_size=4)
    assert ((net.predict(x).ravel() > 0.5) == y).all()


def test_labels_and_one_hot_targets_train_alike(data):
    x, _ = data
    labels = np.arange(30) % 3
    nets = [bpnet.Network([3, 5, 3], "tanh", "softmax", seed=0) for _ in range(2)]
    for net, y in zip(nets, (labels, np.eye(3)[labels]), strict=True):
        net.fit(x, y, cost="cross_entropy", epochs=3)
    assert bits(nets[0].parameters) == bits(nets[1].parameters)


@pytest.mark.parametrize(
    ("output", "low", "high", "warns"),
    [
        ("sigmoid", 0, 50, True),
        ("sigmoid", 0, 1, False),
        ("tanh", -2, 0, True),
        ("identity", -99, 99, False),
        ("relu", -1, 5, True),
    ],
)
def test_targets_out_of_range_warn_once(output, low, high, warns, data, recwarn):
    x = data[0]
    y = np.linspace(low, high, 30)
    bpnet.Network([3, 2, 1], output_activation=output, seed=0).fit(
        x, y, epochs=3, optimizer=bpnet.SGD(learning_rate=1e-6)
    )
    found = [w for w in recwarn if issubclass(w.category, bpnet.TargetRangeWarning)]
    assert len(found) == warns
    assert len(recwarn) == warns


def test_standardised_class_labels_warn(data):
    labels = np.arange(30) % 2
    for y, warns in ((None, False), (np.eye(2)[labels], True)):
        net = bpnet.Network([3, 4, 2], output_activation="softmax", seed=0)
        net.normalize(data[0], y)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            net.fit(data[0], labels, cost="cross_entropy", epochs=1)
        assert [w.category for w in found] == [bpnet.TargetRangeWarning] * warns


def test_a_refused_step_does_not_use_up_the_warning(data):
    trainer = bpnet.Trainer(bpnet.Network([3, 1], seed=0))
    with pytest.raises(ValueError, match="y has 2 samples, but x has 30"):
        trainer.step(data[0], np.zeros((2, 3)))
    with pytest.warns(bpnet.TargetRangeWarning):
        trainer.step(data[0], np.full(30, 9.0))


def test_normalized_targets_are_judged_standardised(data, recwarn):
    net = bpnet.Network([3, 2, 1], output_activation="identity", seed=0)
    y = np.linspace(0, 50, 30)
    net.normalize(data[0], y)
    net.fit(data[0], y, epochs=1)
    assert len(recwarn) == 0
