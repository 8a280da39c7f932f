"""Models of any size, whose weights cost little to make and are read by every run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.export import ExportedProgram

import aotwin
from aotwin.values import BuiltModel

WIDTH = 4096
#: bytes of one linear layer in float32, bias included
LAYER_NBYTES = 4 * (WIDTH * WIDTH + WIDTH)


class Stack(torch.nn.Module):
    """Linear layers one after the other, all with the same values in memory of their own."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        with torch.device("meta"):
            self.layers = torch.nn.ModuleList(torch.nn.Linear(WIDTH, WIDTH) for _ in range(layers))
        self.layers.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(0)
        block = torch.randn(WIDTH, WIDTH, generator=generator) / WIDTH**0.5
        for layer in self.layers:
            for name, tensor in layer.named_parameters():
                tensor.data.copy_(block if name == "weight" else block[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


class Plain(torch.nn.Module):
    """No weights at all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x) + 1


def export_stack(nbytes: float) -> ExportedProgram:
    """A program with so many bytes of weights, rounded up to a whole layer."""
    module = Stack(math.ceil(nbytes / LAYER_NBYTES))
    return torch.export.export(module.eval(), (torch.ones(2, WIDTH),))


def export_plain() -> ExportedProgram:
    """A program without weights."""
    return torch.export.export(Plain(), (torch.ones(2, WIDTH),))


@dataclass(frozen=True)
class Built:
    """A built model with one DLL."""

    model: BuiltModel

    @property
    def dll(self) -> Path:
        """The one DLL."""
        (dll,) = self.model.dlls.values()
        return dll


def build(program: ExportedProgram, directory: Path, name: str) -> Built:
    """Build a program into `directory/name`."""
    return Built(aotwin.build_model(program, directory, name=name))
