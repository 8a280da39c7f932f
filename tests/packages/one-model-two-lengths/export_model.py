"""A network that reads a whole sequence, and the same one that reads a single step."""

import torch

FEATURES = 64


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 256), torch.nn.Tanh(), torch.nn.Linear(256, 8)
    ).eval()


def inputs(steps: int) -> torch.Tensor:
    return torch.linspace(-1, 1, steps * FEATURES).reshape(steps, FEATURES)


def prefill() -> torch.export.ExportedProgram:
    return torch.export.export(network(), (inputs(12),))


def decode() -> torch.export.ExportedProgram:
    return torch.export.export(network(), (inputs(1),))


def plain() -> torch.export.ExportedProgram:
    return torch.export.export(torch.nn.ReLU(), (inputs(1),))
