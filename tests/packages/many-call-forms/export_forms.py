"""Programs with call forms of all kinds; `reference()` says what eager torch gives."""

import torch
from torch.export import Dim, ExportedProgram


class Nested(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(24, 48)
        self.second = torch.nn.Linear(48, 32)
        self.register_buffer("calls", torch.zeros(16))
        self.register_buffer("step", torch.zeros(1))
        self.register_buffer("position", torch.tensor(0))

    def forward(self, points, scale=None, *, mask, power=2):
        self.calls.add_(1)
        self.step.add_(1)
        self.position.add_(2)
        hidden = torch.tanh(self.first(points["x"]) + points["shift"])
        y = self.second(hidden) ** power * mask
        counted = (self.step.clone(), self.position.clone())
        return {"y": y, "rest": (y.sum(), None, self.calls.clone(), y.shape[0], 7, counted)}


class Fallback(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(16, 16))

    def forward(self, x):
        return torch.linalg.det(x @ self.weight), torch.linalg.svdvals(x)


class Image(torch.nn.Module):
    """Exported with an image in channels-last layout, which the code is compiled for."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 16, 3)

    def forward(self, image):
        return torch.relu(self.convolution(image)).mean((2, 3))


def seeded(module: type[torch.nn.Module]) -> torch.nn.Module:
    torch.manual_seed(0)
    return module().eval()


def nested_call(rows: int) -> tuple[tuple, dict]:
    random = torch.Generator().manual_seed(rows)
    points = {
        "x": torch.randn(rows, 24, generator=random),
        "shift": torch.randn(48, generator=random),
    }
    return (points, None), {"mask": torch.randn(rows, 32, generator=random), "power": 2}


def nested() -> ExportedProgram:
    args, kwargs = nested_call(5)
    rows = Dim("rows", min=1, max=64)
    return torch.export.export(
        seeded(Nested),
        args,
        kwargs,
        dynamic_shapes={
            "points": {"x": {0: rows}, "shift": None},
            "scale": None,
            "mask": {0: rows},
            "power": None,
        },
    )


def fallback() -> ExportedProgram:
    return torch.export.export(seeded(Fallback), (square(),))


def levels() -> ExportedProgram:
    return torch.export.export(seeded(Image), (image().to(memory_format=torch.channels_last),))


def bare() -> ExportedProgram:
    return torch.export.export(torch.nn.Softmax(-1), (square(),))


def square() -> torch.Tensor:
    return torch.randn(16, 16, generator=torch.Generator().manual_seed(1))


def image() -> torch.Tensor:
    return torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(2))


def answers(nested, fallback, levels, bare) -> dict:
    """What the models give for fixed inputs, as plain lists; the same for eager and compiled."""
    first = nested(*nested_call(3)[0], **nested_call(3)[1])
    second = nested(*nested_call(9)[0], **nested_call(9)[1])
    determinant, values = fallback(square())
    return {
        "keys": list(first),
        "y": first["y"].tolist(),
        "y of another size": second["y"].tolist(),
        "sum": first["rest"][0].tolist(),
        "none": first["rest"][1],
        "calls": second["rest"][2].tolist(),
        "rows": second["rest"][3],
        "constant": first["rest"][4],
        "step": second["rest"][5][0].tolist(),
        "position": second["rest"][5][1].tolist(),
        "determinant": determinant.tolist(),
        "singular values": values.tolist(),
        "image": levels(image()).tolist(),
        "softmax": bare(square()).tolist(),
    }


def reference() -> dict:
    """The answers of eager torch."""
    with torch.no_grad():
        return answers(seeded(Nested), seeded(Fallback), seeded(Image), torch.nn.Softmax(-1))
