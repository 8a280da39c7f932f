"""What tests know of the model `counting` (model_dlls.Counting): its results and its constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from model_dlls import ModelDll

    from aotwin.values import Constant

WIDTH = 64
#: three buffers' worth of calls are summed by the model
PER_CALL = 3.0
#: behind the constants of a blob
TRAILER_NBYTES = 64


def eager(model: ModelDll, factor: float = 1.0) -> list[float]:
    """First output of the module with all its constants times a factor."""
    module = model.module
    with torch.no_grad():
        x = torch.ones(2, WIDTH)
        hidden = torch.tanh(x @ (module.first.weight * factor).T + module.first.bias * factor)
        y = hidden @ (module.second.weight * factor).T + module.second.bias * factor
        table = (module.table * factor).cos().sum()
    return list((y + table).flatten().tolist())


def scaled(model: ModelDll, factor: float) -> bytes:
    """All constants of a model, which are float32, times a factor."""
    values = torch.frombuffer(bytearray(model.constants), dtype=torch.float32) * factor
    return values.numpy().tobytes()


def constant(model: ModelDll, fqn: str) -> Constant:
    return next(each for each in model.wrapper.constants if each.fqn == fqn)
