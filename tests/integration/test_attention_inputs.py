"""Attention reads heads where they lie, unless somebody could tell the difference."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.functional import scaled_dot_product_attention  # noqa: E402

from aotwin.stages.generate.aotinductor import generate  # noqa: E402
from aotwin.stages.generate.attention_inputs import attend_in_place  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

COPIES = (torch.ops.aten.contiguous.default, torch.ops.aten.clone.default)


class Heads(nn.Module):
    """As speech models have it: each of the three is made contiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))
        self.register_buffer("past", torch.zeros(2, 5, 16))

    def heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(2, -1, 4, 4).transpose(1, 2).contiguous()

    def attended(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (self.heads(part(x)) for part in self.parts[:3])
        return scaled_dot_product_attention(query, key, value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        together = self.attended(x).transpose(1, 2).contiguous().reshape(2, -1, 16)
        return self.parts[3](together)


class Returned(Heads):
    """Who gets the results sees how they lie."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attended(x)


class Viewed(Heads):
    """What lies as queries do cannot be viewed like this."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attended(x).view(8, -1, 4) + 1


class Overwritten(Heads):
    """The buffer is another one when attention reads the key."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query = self.heads(self.parts[0](x))
        key = self.heads(self.past)
        self.past.copy_(x)
        out = scaled_dot_product_attention(query, key, query)
        return out.transpose(1, 2).reshape(2, -1, 16)


def arranged(module: nn.Module) -> tuple[Any, Any, torch.Tensor]:
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(module, (x,))
    rewritten: Any = program.module(check_guards=False)
    attend_in_place(rewritten)
    return program, rewritten, x


@pytest.mark.parametrize(
    ("kind", "left"), [(Heads, 0), (Returned, 1), (Viewed, 1), (Overwritten, 1)]
)
def test_copies_that_nobody_needs_are_left_out(kind: type[nn.Module], left: int) -> None:
    torch.manual_seed(1)
    module = kind().eval()
    expected = copy.deepcopy(module)
    _, rewritten, x = arranged(module)
    attention = next(node for node in rewritten.graph.nodes if "scaled_dot" in str(node.target))
    made = [each for each in attention.args[:3] if each.target in COPIES]
    assert len(made) == left
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(rewritten(x), expected(x))
            assert rewritten(x).stride() == expected(x).stride()


def test_no_loop_copies_before_and_after_attention() -> None:
    program, _, _ = arranged(Heads().eval())
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={})
    assert "flash_attention_for_cpu" in wrapper.source
    assert "cpp_fused" not in wrapper.source
