"""Networks for packages that need no torch; `calls.py` has their arguments."""

import torch
from torch.export import Dim, ExportedProgram


class Nested(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(24, 48)
        self.second = torch.nn.Linear(48, 32)
        self.register_buffer("calls", torch.zeros(16))

    def forward(self, points, scale=None, *, mask, at):
        self.calls.add_(1)
        hidden = torch.tanh(self.first(points["x"]) + points["shift"])
        y = self.second(hidden) * mask
        chosen = y[:, at].to(torch.float64)
        return {"y": y, "rest": (y.sum(), None, chosen, at + 1, y > 0, self.calls.clone(), 7)}


class Half(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 8)

    def forward(self, x):
        return torch.nn.functional.gelu(self.layer(x))


class Flat(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 4)

    def forward(self, x):
        return torch.relu(self.layer(x)) + 1


def seeded(module: type[torch.nn.Module]) -> torch.nn.Module:
    torch.manual_seed(0)
    return module().eval()


def nested_network() -> torch.nn.Module:
    return seeded(Nested)


def half_network() -> torch.nn.Module:
    return seeded(Half).bfloat16()


def flat_network() -> torch.nn.Module:
    return seeded(Flat)


def nested() -> ExportedProgram:
    rows = Dim("rows", min=1, max=64)
    points = {"x": torch.zeros(5, 24), "shift": torch.zeros(48)}
    return torch.export.export(
        nested_network(),
        (points, None),
        {"mask": torch.zeros(5, 32), "at": torch.zeros(3, dtype=torch.int64)},
        dynamic_shapes={
            "points": {"x": {0: rows}, "shift": None},
            "scale": None,
            "mask": {0: rows},
            "at": None,
        },
    )


def half() -> ExportedProgram:
    return torch.export.export(half_network(), (torch.zeros(2, 16, dtype=torch.bfloat16),))


def flat() -> ExportedProgram:
    return torch.export.export(flat_network(), (torch.zeros(2, 8),))
