"""Exported programs, each named for what it shows. Run as a script, it prints source digests."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram, export


class Mixed(nn.Module):
    """Parameters, a buffer that is written and one that is not, reductions, a fallback."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 16)
        self.register_buffer("count", torch.zeros(3))
        self.register_buffer("cache", torch.zeros(4, 8))
        self.register_buffer("table", torch.arange(800.0))

    def forward(self, x: torch.Tensor, at: torch.Tensor, *, scale: torch.Tensor) -> Any:
        self.count.add_(1)
        self.cache.index_copy_(0, at, x[:1])
        y = torch.nn.functional.gelu(self.linear(x)) * scale
        return {
            "y": (y.var(), y.max(), self.table.mean()),
            "det": torch.linalg.det(self.linear.weight[:8] + self.cache.sum()),
            "weight": self.linear.weight,
        }


class CallForms(nn.Module):
    def forward(self, x: torch.Tensor, factor: int, skipped: None, flag: bool) -> Any:
        return [x * factor if flag else x, None, 5, x.shape[0], (x, True)]


class WritesParameter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.zeros(64, 8), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.p[0].add_(x)
        return self.p.sum()


class Adds(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


class Reduces(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum()


class ReturnsFloat(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x * 2, 2.5


def mixed() -> ExportedProgram:
    torch.manual_seed(0)
    return export(
        Mixed().eval(),
        (torch.randn(5, 8), torch.tensor([1])),
        {"scale": torch.tensor(2.0)},
        dynamic_shapes={"x": {0: Dim("batch", min=2, max=64)}, "at": None, "scale": None},
    )


def tied() -> ExportedProgram:
    """Two layers with one weight; a parameter that is a view into larger memory."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16)).eval()
    model[1].weight = model[0].weight
    model[1].bias = nn.Parameter(torch.randn(40)[3:19])
    return export(model, (torch.randn(2, 16),))


def call_forms() -> ExportedProgram:
    return export(
        CallForms(),
        (torch.randn(4, 3), 3, None, True),
        dynamic_shapes=({0: Dim.DYNAMIC},) + (None,) * 3,
    )


def strided() -> ExportedProgram:
    """One argument in channels_last, one transposed."""
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    return export(Adds(), (x, torch.randn(5, 4).t()))


def expanded() -> ExportedProgram:
    """One argument that has no memory of its own for each element."""
    return export(Adds(), (torch.randn(4, 5), torch.randn(5, 1).expand(5, 4).t()))


def writes_parameter() -> ExportedProgram:
    return export(WritesParameter(), (torch.randn(8),))


def reduces() -> ExportedProgram:
    """Large enough that Inductor sums with several threads wherever it runs."""
    return export(Reduces(), (torch.randn(1 << 20),))


def returns_float() -> ExportedProgram:
    return export(ReturnsFloat(), (torch.randn(8),))


def dynamic_number() -> ExportedProgram:
    return export(
        CallForms(),
        (torch.randn(4, 3), 3, None, True),
        dynamic_shapes=(None, Dim.DYNAMIC, None, None),
    )


PROGRAMS: dict[str, Callable[[], ExportedProgram]] = {
    function.__name__: function for function in (mixed, tied, call_forms, strided)
}


def main() -> None:
    """Load the saved programs named on the command line and print the digests of their code."""
    from aotwin.stages.generate.aotinductor import generate

    for path in sys.argv[1:]:
        program = torch.export.load(path)
        for simdlen in (256, 512):
            wrapper, _ = generate(program, name="m", simdlen=simdlen, inductor={})
            print(hashlib.sha256(wrapper.source.encode()).hexdigest())


if __name__ == "__main__":
    main()
