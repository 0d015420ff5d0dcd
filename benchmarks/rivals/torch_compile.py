"""PyTorch with cost and gradient compiled by torch.compile."""

import torch

from . import torch_eager

NAME = "torch.compile"


class Training(torch_eager.Training):
    def __init__(self, *args) -> None:
        super().__init__(*args)
        torch._dynamo.reset()
        self.cost = torch.compile(self.cost)
