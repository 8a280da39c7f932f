"""Tensors that a host hands over for weights that lie in blocks, over our own run time."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import nn

import aotwin
from windows_on_wine import WindowsPython

pytestmark = [pytest.mark.torch, pytest.mark.zig]

HOST = Path(__file__).with_name("hand_over_tensors.py")


class Network(nn.Module):
    """A convolution and two layers of several blocks, and a layer that is less than one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 64, (3, 2))
        self.first = nn.Linear(64, 96)
        self.second = nn.Linear(96, 64, bias=False)
        # AOTInductor writes tensors of up to eight elements into the code.
        self.last = nn.Linear(64, 12)

    def forward(self, x: torch.Tensor) -> Any:
        y = torch.relu(self.conv(x)).flatten(2).transpose(1, 2)
        return self.last(self.second(nn.functional.gelu(self.first(y))))


def test_tensors_for_weights_in_blocks_are_taken_whatever_their_strides(
    without_torch: WindowsPython, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = Network().eval()
    x = torch.randn(2, 4, 7, 6)
    program = torch.export.export(network, (x,))
    model = aotwin.build_model(program, tmp_path / "model", name="network", runtime="own")
    manifest = json.loads(model.manifest.read_text("utf-8"))
    in_blocks = {one["fqn"] for one in manifest["constants"] if one["stride"][:2] == [1, 32]}
    assert in_blocks == {"conv.weight", "first.weight", "second.weight"}

    other = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.normal_(std=0.1)
        expected = {"as built": network(x).flatten(), "other": other(x).flatten()}
    numpy.savez(
        tmp_path / "constants.npz",
        **{name.replace(".", "_"): each.numpy() for name, each in other.state_dict().items()},
    )
    numpy.save(tmp_path / "input.npy", x.numpy())
    (dll,) = model.dlls.values()
    library = model.directory / manifest["libs"]["library"]
    done = without_torch.python(
        [HOST, dll, library, tmp_path / "constants.npz", tmp_path / "input.npy"]
    )
    found = json.loads(done.stdout)
    reason = found.pop("refused")
    assert "first_weight: the tensor has the strides of a weight in blocks, [1, 32]" in reason
    assert len(found) == 1 + 2 * 2 * 3 + 2
    for way, result in found.items():
        wanted = expected["as built" if way.startswith("as built") else "other"]
        torch.testing.assert_close(
            torch.tensor(result),
            wanted,
            rtol=1e-4,
            atol=1e-4,
            msg=lambda text: f"{way}: {text}",  # noqa: B023
        )
