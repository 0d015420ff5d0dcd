"""What a failed call leaves behind: the table of the documentation, row by row."""

import os

import bpnet
import numpy as np
import pytest
from interrupted import PROMPT, delay
from nets import bits, random_net

M = 200


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(M, 3)), rng.uniform(0.1, 0.9, (M, 2))


def make(dtype="float64"):
    return random_net([3, 5, 2], dtype=dtype)


# ---- bad data met in the middle of fit -------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "y", "sample_weight"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_that_is_not_finite_is_named_and_undoes_the_fit(where, bad, shuffle, dtype, data):
    x, y = data
    given = {"x": x, "y": y, "sample_weight": np.ones(M)}
    given[where] = given[where].copy()
    given[where].reshape(M, -1)[137, -1] = bad
    net = make(dtype)
    before = bits(net.parameters)
    with pytest.raises(ValueError, match=rf"{where}.*\b137\b"):
        net.fit(**given, epochs=3, batch_size=8, shuffle=shuffle, seed=1)
    assert bits(net.parameters) == before
    net.fit(x, y, epochs=1)  # and it works again
    assert np.isfinite(net.parameters).all()


def test_a_bad_row_found_in_a_later_fit_undoes_that_fit_only(data):
    x, y = data
    net = make()
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer="adam")
    trainer.fit(x, y, epochs=2)
    before = bits(net.parameters)
    worse = x.copy()
    worse[5, 0] = np.nan
    with pytest.raises(ValueError, match=r"\b5\b"):
        trainer.fit(worse, y, epochs=2)
    assert bits(net.parameters) == before
    twin = bpnet.Trainer(make(), cost="quadratic", optimizer="adam")
    twin.fit(x, y, epochs=2)
    trainer.fit(x, y, epochs=1)  # the optimiser too is as it was
    twin.fit(x, y, epochs=1)
    assert bits(net.parameters) == bits(twin.net.parameters)


@pytest.mark.parametrize("where", [0, 1])
def test_a_bad_validation_row_is_named(where, data):
    x, y = data
    held_out = [x[:20].copy(), y[:20].copy()]
    held_out[where][7, 0] = np.nan
    net = make()
    before = bits(net.parameters)
    with pytest.raises(ValueError, match=r"validation.*\b7\b"):
        net.fit(x, y, epochs=1, validation=tuple(held_out))
    assert bits(net.parameters) == before


def test_a_bad_row_of_a_fraction_is_named_where_it_was_cut_off(data):
    x, y = data[0].copy(), data[1]
    x[M - 3, 0] = np.nan
    net = make()
    held_out = round(0.1 * M)
    row, cut = held_out - 3, M - held_out
    with pytest.raises(ValueError, match=rf"validation x has nan in row {row}, .*counted from row {cut} of x"):
        net.fit(x, y, epochs=1, validation=0.1)


def test_what_a_callback_raises_is_not_taken_for_a_bad_row(data):
    mine = ValueError("validation cost rose")

    def raising(trainer, epoch, history):
        raise mine

    with pytest.raises(ValueError, match="^validation cost rose$") as caught:
        make().fit(*data, epochs=1, validation=0.1, callback=raising)
    assert caught.value is mine


def test_a_row_that_a_callback_spoils_is_named(data):
    x, y = data[0].copy(), data[1]
    net = make()

    def spoil(trainer, epoch, history):
        spoil.parameters = bits(net.parameters)
        x[7, 0] = np.nan

    with pytest.raises(ValueError, match=r"x has nan in row 7"):
        net.fit(x, y, epochs=3, batch_size=len(x), callback=spoil)
    assert bits(net.parameters) == spoil.parameters


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("which", ["sample_weight", "validation sample_weight"])
def test_a_weight_that_a_callback_spoils_is_named(which, spoilt, data):
    w = np.ones(M)
    net = make()

    def spoil(trainer, epoch, history):
        spoil.parameters = bits(net.parameters)
        w[7] = spoilt

    options = {"validation": (*data, w)} if which.startswith("validation") else {"sample_weight": w}
    with pytest.raises(ValueError, match=rf"^{which}.*\b7\b"):
        net.fit(*data, epochs=3, callback=spoil, **options)
    assert bits(net.parameters) == spoil.parameters


def test_weights_that_a_callback_sets_to_zero_are_refused(data):
    w = np.ones(M)

    def spoil(trainer, epoch, history):
        w[:] = 0

    with pytest.raises(ValueError, match="sample_weight"):
        make().fit(*data, epochs=3, sample_weight=w, callback=spoil)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_subnormal_weights_are_zeros_to_a_training_step(dtype, data):
    x, y = data
    tiny = float(np.finfo(dtype).smallest_subnormal) * 1000
    half = np.where(np.arange(M) < M // 2, 1, tiny).astype(dtype)
    options = {"batch_size": M // 4, "shuffle": False, "epochs": 2}
    net, same = make(dtype), make(dtype)
    steps = net.fit(x, y, sample_weight=half, **options).steps
    assert steps == same.fit(x, y, sample_weight=half * (half == 1), **options).steps == 4
    assert bits(net.parameters) == bits(same.parameters)
    trainer = bpnet.Trainer(net)
    assert trainer.step(x, y, sample_weight=np.full(M, tiny, dtype)) == 0
    assert trainer.steps == 0
    with pytest.raises(ValueError, match="subnormal"):
        net.fit(x, y, sample_weight=np.full(M, tiny, dtype), **options)
    assert bits(net.parameters) == bits(same.parameters)


def test_a_negative_weight_is_named(data):
    w = np.ones(M)
    w[42] = -1
    net = make()
    before = bits(net.parameters)
    for call in (net.fit, net.gradient):
        with pytest.raises(ValueError, match=r"sample_weight.*\b42\b"):
            call(*data, sample_weight=w)
    assert bits(net.parameters) == before


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_named(label, data):
    labels = np.arange(M) % 3
    labels[99] = label
    net = bpnet.Network([3, 4, 3], "tanh", "softmax", seed=0)
    before = bits(net.parameters)
    for call in (net.fit, net.gradient):
        with pytest.raises(ValueError, match=r"y.*\b99\b"):
            call(data[0], labels, cost="cross_entropy")
    assert bits(net.parameters) == before


def test_a_bad_step_is_undone(data):
    x, y = data
    x = x.copy()
    x[3] = np.nan
    trainer = bpnet.Trainer(make(), cost="quadratic", optimizer="adam")
    before = bits(trainer.net.parameters)
    with pytest.raises(ValueError, match=r"x.*\b3\b"):
        trainer.step(x, y)
    assert bits(trainer.net.parameters) == before
    assert trainer.steps == 0


# ---- divergence ------------------------------------------------------------------------------------------------------


def runaway(dtype="float32"):
    """A line fitted with a learning rate that multiplies its error at every step, and data to do it with."""
    net = bpnet.Network([1, 1], output_activation="identity", dtype=dtype, seed=0)
    x = np.linspace(-3, 3, 40)[:, None]
    return net, x, x + 1, bpnet.SGD(learning_rate=3.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_divergence_leaves_the_last_finite_epoch(dtype):
    net, x, y, optimizer = runaway(dtype)
    options = {"optimizer": optimizer, "batch_size": 10, "shuffle": False}
    with pytest.raises(bpnet.DivergenceError) as caught:
        net.fit(x, y, epochs=1000, **options)
    error = caught.value
    assert isinstance(error, ArithmeticError)
    assert error.epoch >= 2
    assert 4 * error.epoch <= error.step < 4 * (error.epoch + 1)  # 4 steps an epoch, both counted from 0
    assert f"epoch {error.epoch}" in str(error)
    twin = runaway(dtype)[0]
    twin.fit(x, y, epochs=error.epoch, **options)
    assert np.isfinite(net.parameters).all()
    assert bits(net.parameters) == bits(twin.parameters)


def test_divergence_in_the_first_epoch_leaves_the_start():
    net, x, y, _ = runaway()
    before = bits(net.parameters)
    with pytest.raises(bpnet.DivergenceError) as caught:
        net.fit(x, y, optimizer=bpnet.SGD(learning_rate=1e30), epochs=3, batch_size=10)
    assert caught.value.epoch == 0
    assert bits(net.parameters) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_that_diverges_is_undone(dtype):
    net, x, y, optimizer = runaway(dtype)
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer=optimizer)
    with pytest.raises(bpnet.DivergenceError) as caught:
        for _ in range(10_000):
            before = bits(net.parameters)
            trainer.step(x, y)
    assert bits(net.parameters) == before
    assert np.isfinite(net.parameters).all()
    assert caught.value.step == trainer.steps
    assert caught.value.epoch is None
    assert "epoch" not in str(caught.value)


@pytest.mark.parametrize("nesterov", [False, True])
def test_earlier_gradients_count_for_divergence(nesterov):
    net = bpnet.Network([1, 1], seed=0)
    rate = bpnet.CosineDecay(initial=0, final=1e5, steps=1)
    trainer = bpnet.Trainer(net, optimizer=bpnet.SGD(learning_rate=rate, momentum=0.9, nesterov=nesterov))
    before = bits(net.parameters)
    trainer.apply(np.full(2, 1e38))
    with pytest.raises(bpnet.DivergenceError):
        trainer.apply(np.zeros(2))
    assert bits(net.parameters) == before
    assert trainer.steps == 1


STATES_OUT_OF_RANGE = {
    "a root that forgets at once": (bpnet.RMSProp(rho=0.0), "float32", [1e20, 1.0]),
    "the same for Adam": (bpnet.Adam(beta2=0.0), "float32", [1e20, 1.0]),
    "in double": (bpnet.Adam(beta2=0.0), "float64", [1e160, 1.0]),
    "a decay that is subnormal": (bpnet.Adam(beta1=0.0, beta2=1e-40), "float32", [1e20, 1.0]),
    "a rate that rises": (
        bpnet.Adam(learning_rate=bpnet.CosineDecay(initial=0, final=1e5, steps=1)),
        "float32",
        [1e38, 0.0],
    ),
    "a mean that outlives it": (bpnet.Adam(learning_rate=1e3, beta2=0.0, eps=1e-19), "float32", [1e18, 0.0]),
}


@pytest.mark.parametrize("row", STATES_OUT_OF_RANGE)
def test_states_out_of_range_count_for_divergence(row):
    """apply and step never return with parameters that are not finite, whatever came before."""
    optimizer, dtype, gradients = STATES_OUT_OF_RANGE[row]
    net = bpnet.Network([1, 1], output_activation="identity", init="zeros", dtype=dtype, seed=0)
    trainer = bpnet.Trainer(net, optimizer=optimizer)
    with pytest.raises(bpnet.DivergenceError):
        for g in gradients:
            before, steps = bits(net.parameters), trainer.steps
            trainer.apply(np.array([g, 0.0]))
            assert np.isfinite(net.parameters).all()
    assert bits(net.parameters) == before and trainer.steps == steps


def test_divergence_in_batches_names_their_epoch():
    net, x, y, optimizer = runaway()
    reached = []

    class Batches:
        def __iter__(self):
            reached.append(1)
            yield from [(x, y)] * 4

    with pytest.raises(bpnet.DivergenceError) as caught:
        bpnet.Trainer(net, optimizer=optimizer).fit_batches(Batches(), epochs=1000)
    assert caught.value.epoch == len(reached) - 1 > 0


def test_applying_what_is_not_finite_is_refused():
    net = make()
    before = bits(net.parameters)
    trainer = bpnet.Trainer(net, cost="quadratic", optimizer="adam")
    g = np.zeros(net.n_parameters)
    g[4] = np.nan
    with pytest.raises((ValueError, bpnet.DivergenceError)):
        trainer.apply(g)
    assert bits(net.parameters) == before
    assert trainer.steps == 0


def test_divergence_error_survives_pickling():
    import pickle

    error = pickle.loads(pickle.dumps(bpnet.DivergenceError("gone", epoch=3, step=14)))
    assert (str(error), error.epoch, error.step) == ("gone", 3, 14)


# ---- exceptions of callbacks and costs -------------------------------------------------------------------------------


def test_an_exception_in_a_callback_leaves_the_finished_epochs(data):
    net, twin = make(), make()

    def callback(trainer, epoch, history):
        if epoch == 2:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        net.fit(*data, epochs=10, callback=callback, seed=0)
    twin.fit(*data, epochs=3, seed=0)
    assert bits(net.parameters) == bits(twin.parameters)
    net.fit(*data, epochs=1)


def test_an_exception_in_a_cost_leaves_the_finished_steps(data):
    x, y = data
    calls = 0

    def cost(a, y):
        nonlocal calls
        calls += 1
        if calls == 6:
            raise LookupError("enough")
        return ((a - y) ** 2).sum(1) / 2, a - y

    net, twin = make(), make()
    trainer = bpnet.Trainer(net, cost=cost, optimizer="adam", threads=1)
    with pytest.raises(LookupError, match="enough"):
        trainer.fit(x, y, epochs=10, batch_size=16, shuffle=False)
    assert trainer.steps == 5
    calls = 10
    other = bpnet.Trainer(twin, cost=cost, optimizer="adam", threads=1)
    for i in range(5):
        other.step(x[16 * i : 16 * i + 16], y[16 * i : 16 * i + 16])
    assert bits(net.parameters) == bits(twin.parameters)


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------

COMMON = """
net = bpnet.Network([16, 1024, 1024, 1], "tanh", "identity", seed=0)
before = net.parameters.copy()
x = np.zeros((400_000, 16), np.float32)
x[:] = np.linspace(-1, 1, 16)
y = x[:, 0]
"""

CALLS = {  # each one call of many seconds
    "predict": ("net.predict(x, threads={threads})", "assert (net.parameters == before).all()"),
    "gradient": (
        "net.gradient(x, y, wrt=('parameters', 'x'), threads={threads})",
        "assert (net.parameters == before).all()",
    ),
    "cost": ("net.cost(x, y, threads={threads})", "assert (net.parameters == before).all()"),
    "step": (
        """trainer = bpnet.Trainer(net, cost="quadratic", optimizer="adam", threads={threads})
    trainer.step(x, y)""",
        "assert trainer.steps == 0 and (net.parameters == before).all()",
    ),
    "fit": (
        """trainer = bpnet.Trainer(net, cost="quadratic", optimizer="adam", threads={threads})
    trainer.fit(x, y, epochs=1000, batch_size=128, shuffle=False)""",
        """steps = trainer.steps
assert 0 < steps < 700 and not (net.parameters == before).all()
twin = bpnet.Network([16, 1024, 1024, 1], "tanh", "identity", seed=0)
other = bpnet.Trainer(twin, cost="quadratic", optimizer="adam", threads={threads})
for i in range(steps):
    other.step(x[128 * i : 128 * i + 128], y[128 * i : 128 * i + 128])
assert (net.parameters == twin.parameters).all()
trainer.step(x[:64], y[:64])""",
    ),
}


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c(call, threads):
    """A real SIGINT in the middle of one native call: KeyboardInterrupt at once, and the network as promised."""
    call, after = (part.replace("{threads}", str(threads)) for part in CALLS[call])
    assert delay(COMMON, call, after) < PROMPT
