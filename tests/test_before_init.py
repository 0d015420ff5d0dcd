"""Objects of the core that __new__ alone has made: nothing works with them, and nothing crashes."""

import contextlib
import gc

import numpy as np
import pytest
from bpnet import _core

M = 7
X, Y = np.linspace(-1, 1, 3 * M).reshape(M, 3), np.full((M, 2), 0.5)
NATIVE = _core.Network64([3, 2], ["sigmoid"])
COST, ADAM = _core.Cost("quadratic"), _core.Optimizer("adam", ("constant", 0.01, 0, 0))
NETWORK = {  # the arguments of every method; None: a property
    "sizes": None,
    "activations": None,
    "n_parameters": None,
    "parameters": None,
    "weights": None,
    "biases": None,
    "normalization": None,
    "copied_parameters": (),
    "before_use": (None,),
    "initialize": (("normal", 0.0, 1.0), None, 0),
    "set_normalization": (None, None, None, None),
    "predict": (X,),
    "forward": (X,),
    "cost": (X, Y, COST, None, "mean", None),
    "gradient": (X, Y, COST, None, 7, "mean", None),
    "targets_in_range": (Y,),
    "check_cost": (COST,),
}
MEMBERS = {
    _core.Network: {"before_use": (None,)},
    _core.Network32: NETWORK,
    _core.Network64: NETWORK,
    _core.Cost: {"custom": None},  # static
    _core.Optimizer: {},
    _core.Trainer: {
        "steps": None,
        "epochs": None,
        "step": (X, Y, None),
        "apply": (np.zeros(8),),
        "fit": (X, Y, 1, 2, True, None, None, None, None),
    },
}


@pytest.mark.parametrize("kind", MEMBERS, ids=lambda kind: kind.__name__)
def test_nothing_works_before_init(kind):
    bare = kind.__new__(kind)
    names = [name for name in dir(kind) if name not in dir(object)]
    assert {name for name in names if not name.startswith("_")} == set(MEMBERS[kind])
    for name, arguments in MEMBERS[kind].items():
        if name == "custom":
            continue
        with pytest.raises(TypeError, match=f"this {kind.__name__} was made by __new__ alone"):
            member = getattr(bare, name)
            member(*arguments)
    for name in {*dir(kind)} - {*MEMBERS[kind]}:
        with contextlib.suppress(TypeError):
            getattr(bare, name)()
    assert gc.collect() >= 0


def test_nothing_takes_what_lacks_init():
    def bare(kind):
        return pytest.raises(TypeError, match=f"this {kind.__name__} was made by __new__ alone")

    cost, optimizer, net = (kind.__new__(kind) for kind in (_core.Cost, _core.Optimizer, _core.Network32))
    with bare(_core.Cost):
        NATIVE.cost(X, Y, cost, None, "mean", None)
    with bare(_core.Cost):
        _core.Trainer(NATIVE, cost, ADAM, 0.0, 0.0, False, 0, None)
    with bare(_core.Optimizer):
        _core.Trainer(NATIVE, COST, optimizer, 0.0, 0.0, False, 0, None)
    with bare(_core.Network32):
        _core.Trainer(net, COST, ADAM, 0.0, 0.0, False, 0, None)


def test_init_may_come_later_or_again():
    net = _core.Network32.__new__(_core.Network32)
    with pytest.raises(ValueError, match="sizes"):
        net.__init__([3], [])
    with pytest.raises(TypeError, match="__new__ alone"):
        net.predict(X)
    net.__init__([3, 2], ["sigmoid"])
    net.__init__([4, 4, 4], ["tanh", "tanh"])
    assert net.sizes == [3, 2]
    assert net.predict(X).shape == (M, 2)
