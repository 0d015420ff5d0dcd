"""What PyTorch has no module for. Imported by `to_torch` alone: this file needs torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Standardize(nn.Module):  # type: ignore[misc,unused-ignore]  # torch may be missing where types are checked
    """(x - shift) / scale, the input normalisation of a network."""

    def __init__(self, shift: Any, scale: Any) -> None:
        super().__init__()
        self.register_buffer("shift", torch.as_tensor(shift, device="cpu"))
        self.register_buffer("scale", torch.as_tensor(scale, device="cpu"))

    def forward(self, x: Any) -> Any:
        return (x - self.shift) / self.scale


class Rescale(nn.Module):  # type: ignore[misc,unused-ignore]
    """x * scale + shift, the output normalisation of a network."""

    def __init__(self, scale: Any, shift: Any) -> None:
        super().__init__()
        self.register_buffer("scale", torch.as_tensor(scale, device="cpu"))
        self.register_buffer("shift", torch.as_tensor(shift, device="cpu"))

    def forward(self, x: Any) -> Any:
        return x * self.scale + self.shift


class Sine(nn.Module):  # type: ignore[misc,unused-ignore]
    """sin z."""

    def forward(self, z: Any) -> Any:
        return torch.sin(z)


class Gaussian(nn.Module):  # type: ignore[misc,unused-ignore]
    """e^(-z^2)."""

    def forward(self, z: Any) -> Any:
        return torch.exp(-z * z)


class Exponential(nn.Module):  # type: ignore[misc,unused-ignore]
    """e^z."""

    def forward(self, z: Any) -> Any:
        return torch.exp(z)
