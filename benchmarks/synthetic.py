"""Models of any size, whose weights cost little to make and are read by every run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.export import ExportedProgram

import aotwin
from aotwin.stages.pt2 import write_pt2
from aotwin.values import BuiltModel, SealedDll

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
    """A program with about so many bytes of weights, one layer at least."""
    module = Stack(max(1, round(nbytes / LAYER_NBYTES)))
    return torch.export.export(module.eval(), (torch.ones(2, WIDTH),))


def export_plain() -> ExportedProgram:
    """A program without weights."""
    return torch.export.export(Plain(), (torch.ones(2, WIDTH),))


@dataclass(frozen=True)
class Built:
    """A built model, its files, and the bytes of its weights."""

    model: BuiltModel
    weights_nbytes: int

    @property
    def dll(self) -> Path:
        """The one DLL."""
        (dll,) = self.model.dlls.values()
        return dll


def build(program: ExportedProgram, directory: Path, name: str) -> Built:
    """Build a program into `directory/name`."""
    model = aotwin.build_model(program, directory, name=name)
    return Built(model, model.blob.stat().st_size)


def write_archive(built: Built, path: Path) -> Path:
    """The same model as a `.pt2` for torch's own Windows loader."""
    from aotwin.adapters.index import file_sha256

    dll = built.dll
    ((cpu, _),) = built.model.dlls.items()
    sealed = SealedDll(dll, cpu, file_sha256(dll), dll.stat().st_size)
    write_pt2(built.model.directory, sealed, built.model.blob, path)
    return path
