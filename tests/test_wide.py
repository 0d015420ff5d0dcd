"""Networks with many weights go group by group, through wide layers together; what they compute is the same."""

import bpnet
import numpy as np
import pytest
import reference
from nets import bits

DEEP = [40, *[130] * 17, 5]  # no layer is wide
SHAPES = [([300, 520, 515, 7], 600), ([784, 512, 512, 10], 130), ([700, 800, 3], 64), ([1000, 400], 70), (DEEP, 530)]
SHAPES += [([256, 270, 256], 255), ([256, 270, 256], 300), ([20, 1100, 1030], 20)]
SHAPES += [([30, 701, 650, 3], 128), ([30, 701, 650, 3], 48)]  # registers of weights across two lines of the cache


def wide(sizes, m, dtype):
    output = "softmax" if sizes[-1] > 5 else "sigmoid"
    net = bpnet.Network(sizes, activation="tanh", output_activation=output, dtype=dtype, seed=1)
    rng = np.random.default_rng(0)
    return net, rng.standard_normal((m, sizes[0])).astype(dtype), rng.random((m, sizes[-1])).astype(dtype)


@pytest.mark.parametrize(("sizes", "m"), SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_do_not_change_a_bit(sizes, m, dtype):
    net, x, y = wide(sizes, m, dtype)
    one = net.gradient(x, y, wrt=("parameters", "x", "layers"), threads=1)
    for threads in (2, 3, 7):
        other = net.gradient(x, y, wrt=("parameters", "x", "layers"), threads=threads)
        assert other.cost == one.cost
        assert bits(other.flat) == bits(one.flat)
        assert bits(other.x) == bits(one.x)
    assert bits(net.predict(x)) == bits(np.array([net.predict(row) for row in x]))


@pytest.mark.parametrize(("sizes", "m"), SHAPES)
def test_agrees_with_the_reference(sizes, m):
    net, x, y = wide(sizes, m, "float64")
    ours = net.gradient(x, y, wrt=("parameters", "x"))
    theirs = reference.gradient(list(net.weights), list(net.biases), net.activations, x, y)
    for got, expected in zip([*ours.weights, *ours.biases], [*theirs["weights"], *theirs["biases"]], strict=True):
        # both round sums of up to a thousand terms: n eps / 2 = 1e-13
        assert np.linalg.norm(got - expected) <= 1e-12 * np.linalg.norm(expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", bpnet.SGD(learning_rate=0.1, momentum=0.9), "rmsprop"])
@pytest.mark.parametrize("sizes", [[300, 520, 515, 7], DEEP])
def test_updating_block_by_block_equals_whole_steps(sizes, optimizer, dtype):
    """fit updates a block of weights while its gradient is in cache; step does it afterwards."""
    net, x, y = wide(sizes, 150, dtype)
    twin = net.copy()
    net.fit(x, y, epochs=2, batch_size=50, shuffle=False, optimizer=optimizer, l2=1e-3, l1=1e-5, threads=2)
    trainer = bpnet.Trainer(twin, optimizer=optimizer, l2=1e-3, l1=1e-5, threads=1)
    for _ in range(2):
        for k in range(0, 150, 50):
            trainer.step(x[k : k + 50], y[k : k + 50])
    assert bits(net.parameters) == bits(twin.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [1, 10, 100])
@pytest.mark.parametrize("l2", [0, 1e-3])
def test_plain_descent_without_a_gradient_in_memory_equals_whole_steps(l2, batch, dtype):
    """With few samples fit changes the weights by sums that are only in registers."""
    net, x, y = wide([300, 45, 7], 200, dtype)
    twin = net.copy()
    net.fit(x, y, epochs=3, batch_size=batch, shuffle=False, optimizer="sgd", l2=l2)
    trainer = bpnet.Trainer(twin, optimizer="sgd", l2=l2)
    for _ in range(3):
        for k in range(0, 200, batch):
            trainer.step(x[k : k + batch], y[k : k + batch])
    assert bits(net.parameters) == bits(twin.parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_group_by_group_equals_row_by_row(dtype):
    net, x, y = wide([300, 520, 515, 7], 600, dtype)
    net.normalize(x=3 * x + 1, y=2 * y)
    other, other_x, _ = wide([700, 800, 3], 70, dtype)  # another shape in between: it leaves its scratch behind
    rows = bits(np.array([net.predict(row) for row in x]))
    for threads in (1, 2, 5):
        assert bits(net.predict(x, threads=threads)) == rows
        other.predict(other_x, threads=threads)
        assert bits(net.predict(x.astype(x.dtype.newbyteorder()), threads=threads)) == rows
    assert bits(net.predict(x[::-1])[::-1].copy()) == rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m", [2, 13, 24, 64, 65, 150])
def test_threads_share_few_samples(m, dtype):
    """Through wide layers even the samples of one tile are shared out."""
    net, x, _ = wide([700, 1030, 300], m, dtype)
    rows = bits(np.array([net.predict(row) for row in x]))
    for threads in (1, 2, 3, 7, 64):
        assert bits(net.predict(x, threads=threads)) == rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[64, 64, 64, 10], [100, 300, 20]])
@pytest.mark.parametrize("rows", [100, 300, 1100])
def test_shards_handed_to_the_optimiser_in_parts_equal_a_whole_gradient(rows, sizes, dtype):
    """fit updates parts of the parameters as soon as their sums over all shards are there; apply has all of them."""
    net, x, y = wide(sizes, rows, dtype)
    twin, options = net.copy(), {"optimizer": bpnet.AdamW(weight_decay=0.1, decay_biases=False), "l2": 1e-3, "l1": 1e-5}
    net.fit(x, y, epochs=3, batch_size=rows, shuffle=False, threads=3, **options)
    trainer = bpnet.Trainer(twin, **options)
    for _ in range(3):
        trainer.apply(twin.gradient(x, y))
    assert bits(net.parameters) == bits(twin.parameters)
