"""Models of any size, whose weights cost little to make and are read by every run.

Run as a script, it builds one: python synthetic.py NBYTES FOLDER NAME (0 bytes: without weights).
"""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.export import ExportedProgram

import aotwin

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
    """The files of a built model with one DLL."""

    directory: Path
    dll: Path
    blob: Path


def build(nbytes: float, directory: Path, name: str) -> Built:
    """Build a model into `directory/name`, in a process that takes its memory with it."""
    command = [sys.executable, __file__, str(int(nbytes)), str(directory), name]
    subprocess.run(command, check=True)
    folder = directory / name
    return Built(folder, folder / f"{name}.dll", folder / f"{name}_weights.blob")


def main() -> None:
    nbytes, directory, name = sys.argv[1:]
    program = export_stack(int(nbytes)) if int(nbytes) else export_plain()
    # What it is compared with is torch's loader and runner.
    aotwin.build_model(program, directory, name=name, runtime="torch")


if __name__ == "__main__":
    main()
