"""A model with a state, results of many kinds and a free size; and one that draws numbers."""

import torch
from torch import nn


class Steps(nn.Module):
    """Each call adds to what the calls before have left."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 5)
        self.register_buffer("total", torch.zeros(6))

    def forward(self, x, *, mask=None, power=2):
        self.total.add_(x.sum(0))
        y = nn.functional.gelu(self.layer(x + self.total) ** power)
        return {
            "y": y,
            "nothing": mask,
            "rows": x.shape[0] * 2,
            "parts": (y.argmax(-1), [y > 0.5, x.to(torch.bfloat16) * 3]),
            "half": torch.tanh(x.half()),
            "complex": x.to(torch.complex64) * (1 + 2j),
            "empty": x[:0],
            "number": y.sum(),
            "odd": x / (x - x.floor()).floor(),
        }


class Noisy(nn.Module):
    """One result that no two calls give alike, one that is always the same."""

    def forward(self, x):
        return torch.rand_like(x) + x, x.cumsum(-1)


def steps():
    """An ExportedProgram, the same every time."""
    torch.manual_seed(0)
    return torch.export.export(
        Steps().eval(),
        (torch.randn(4, 6),),
        {"mask": None, "power": 2},
        dynamic_shapes={"x": {0: torch.export.Dim.AUTO}, "mask": None, "power": None},
    )


def noisy():
    """Proven with the example inputs of its own."""
    return torch.export.export(Noisy(), (torch.arange(12.0).reshape(3, 4),))
