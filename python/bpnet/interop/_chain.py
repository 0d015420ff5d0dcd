"""Somebody else's model, step by step, as a Network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from .._architecture import FLOAT32, FLOAT64
from .._network import Network
from ._affine import as_vector, is_normalization, line, standardisation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._affine import Step


def refuse(where: str, why: str) -> NoReturn:
    raise ValueError(f"{where} {why}")


@dataclass
class _Layer:
    where: str
    W: NDArray[Any]  # (n_l, n_(l-1))
    b: NDArray[Any] | None  # (n_l,)
    activation: str | None = None


class Chain:
    """Takes the steps of a model in order and gives the network that computes the same.

    `where` names a step in complaints: 'layer 2 (Linear)'. Two dense layers in a row have the identity between them.
    Affine steps in front of the first layer become the input normalisation, those behind the last one the output
    normalisation; what lies between (and what no normalisation can be, such as a negative scale) is folded into weights
    and biases in float64. Nothing is copied before `network`.
    """

    def __init__(self) -> None:
        self._layers: list[_Layer] = []
        self._front: list[Step] = []  # in front of layer 1
        self._steps: list[Step] = []  # since the last dense layer or activation
        self._last = ""  # where the steps came from
        self._dtype: np.dtype[Any] | None = None

    @property
    def width(self) -> int | None:
        """Columns that the next step gets; None in front of the first layer."""
        return len(self._layers[-1].W) if self._layers else None

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Of the weights so far."""
        return self._dtype

    # ---- steps

    def dense(self, where: str, W: NDArray[Any], b: NDArray[Any] | None = None) -> None:
        """z = W x + b: W (n_out, n_in), b (n_out,) or None."""
        self._check_dense(where, W, b)
        layer = _Layer(where, W, b)
        if not self._layers:
            self._front, self._steps = self._steps, []
        elif self._layers[-1].activation is None:
            self._fold_back()
            self._layers[-1].activation = "identity"
        elif self._steps:
            _absorb(layer, self._steps)
            self._steps = []
        self._layers.append(layer)

    def affine(self, where: str, operation: str, values: Any) -> None:
        """x + c, x - c, x * c or x / c ("add", ...): one number, or one a column."""
        try:
            c = as_vector(values)
        except (TypeError, ValueError) as error:
            refuse(where, str(error))
        if self.width is not None and c.ndim and len(c) != self.width:
            refuse(where, f"has {len(c)} constants, but gets {self.width} columns")
        layer = self._layers[-1] if self._layers else None
        if layer and layer.activation is None and layer.b is None and not self._steps and operation == "add":
            layer.b = np.broadcast_to(c, len(layer.W))  # the bias that came by itself
            return
        if not np.isfinite(c).all():
            refuse(where, "has constants that are not finite")
        if operation == "divide" and not c.all():
            refuse(where, "divides by 0")
        self._steps.append((operation, c))
        self._last = where

    def activation(self, where: str, name: str) -> None:
        """One of bpnet's activations."""
        if not self._layers:
            refuse(where, "is an activation before the first dense layer, but a network begins with a dense layer")
        layer = self._layers[-1]
        if layer.activation is not None:
            refuse(where, f"is a second activation after {layer.where}, but a layer has one")
        self._fold_back()
        layer.activation = name

    # ---- the end

    def network(self) -> Network:
        """The network of all steps so far; its seed is 0."""
        if not self._layers:
            raise ValueError("the model has no dense layer, but a network needs one")
        last = self._layers[-1]
        last.activation = last.activation or "identity"
        output = self._output_normalization(last)
        net = self._bare()
        inputs = self._input_normalization()
        for layer, W, b in zip(self._layers, net.weights, net.biases, strict=True):
            W[...] = layer.W
            b[...] = 0 if layer.b is None else layer.b
        if inputs[0] is not None or output[0] is not None:
            net._native.set_normalization(*inputs, *output)
        return net

    def _bare(self) -> Network:
        names = [layer.activation for layer in self._layers]
        return Network._bare(
            {
                "sizes": [self._layers[0].W.shape[1], *(len(layer.W) for layer in self._layers)],
                "activation": names[:-1],
                "output_activation": names[-1],
                "init": "auto",
                "dtype": self._dtype,
                "seed": 0,
                "bias_init": None,
            }
        )

    def _input_normalization(self) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
        if not self._front:
            return None, None
        first = self._layers[0]
        n = first.W.shape[1]
        for _, c in self._front:
            if c.ndim and len(c) != n:
                refuse(first.where, f"takes {n} columns, but {len(c)} are scaled in front of it")
        with np.errstate(all="ignore"):
            shift, scale = standardisation(self._front, n)
            if self._dtype is not None and is_normalization(shift, scale, self._dtype):
                return shift, scale
        _absorb(first, self._front)
        return None, None

    def _output_normalization(self, last: _Layer) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
        if not self._steps:
            return None, None
        with np.errstate(all="ignore"):
            scale, shift = line(self._steps, len(last.W))
            if self._dtype is not None and is_normalization(shift, scale, self._dtype):
                return shift, scale
        if last.activation != "identity":
            refuse(self._last, "scales the outputs by numbers that are not all finite and above 0")
        self._fold_back()
        return None, None

    # ---- details

    def _check_dense(self, where: str, W: NDArray[Any], b: NDArray[Any] | None) -> None:
        if W.ndim != 2 or 0 in W.shape:
            refuse(where, f"has weights of shape {W.shape}, but must have (outputs, inputs), at least one of each")
        for name, array in (("weights", W), ("a bias", b)):
            if array is not None and array.dtype not in (FLOAT32, FLOAT64):
                refuse(where, f"has {name} of dtype {array.dtype}, but must have float32 or float64")
        dtype = self._dtype or W.dtype
        if dtype != W.dtype or (b is not None and b.dtype != dtype):
            other = W.dtype if b is None or dtype != W.dtype else b.dtype
            refuse(where, f"is of dtype {other}, but what came before is of {dtype}; a network has one dtype")
        if b is not None and b.shape != (len(W),):
            refuse(where, f"has a bias of shape {b.shape}, but {len(W)} outputs")
        if self.width is not None and W.shape[1] != self.width:
            refuse(where, f"takes {W.shape[1]} columns, but gets {self.width}")
        self._dtype = dtype

    def _fold_back(self) -> None:
        """The steps since the last dense layer become part of it: s (W x + b) + t = (s W) x + (s b + t)."""
        if not self._steps:
            return
        layer = self._layers[-1]
        with np.errstate(all="ignore"):
            slope, offset = line(self._steps, len(layer.W))
            layer.W = slope[:, None] * layer.W
            layer.b = offset if layer.b is None else slope * layer.b + offset
        self._steps = []


def _absorb(layer: _Layer, steps: list[Step]) -> None:
    """The steps in front of a dense layer become part of it: W (s x + t) + b = (W s) x + (W t + b)."""
    with np.errstate(all="ignore"):
        slope, offset = line(steps, layer.W.shape[1])
        W = layer.W.astype(np.float64)
        layer.b = W @ offset + (0 if layer.b is None else layer.b)
        layer.W = W * slope
