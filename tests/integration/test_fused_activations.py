"""Linear layers and the activations behind them become one operator of Inductor's graph."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch._inductor.decomposition import decompositions  # noqa: E402

from aotwin.stages.generate.aotinductor import generate  # noqa: E402
from aotwin.stages.generate.layer_operators import call_layers  # noqa: E402
from aotwin.stages.generate.linear_layers import arrange_linear_layers  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

DTYPES = ("float32", "bfloat16")
FUSED = torch.ops.mkldnn._linear_pointwise.default


def spelled_out(x: Any) -> Any:
    """GELU as GPT-2 has it."""
    return 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * torch.pow(x, 3.0))))


ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], tuple[str, str]]] = {
    "gelu": (nn.GELU(), ("gelu", "none")),
    "gelu by tanh": (nn.GELU(approximate="tanh"), ("gelu", "tanh")),
    "gelu spelled out": (spelled_out, ("gelu", "tanh")),
    "silu": (nn.SiLU(), ("swish", "")),
    "relu": (nn.ReLU(), ("relu", "")),
}


class Layer(nn.Module):
    def __init__(self, activation: Callable[[Any], Any], *, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(24, 40, bias=bias)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> Any:
        return self.activation(self.linear(x))


class Twice(Layer):
    """The linear layer's results are wanted for themselves."""

    def forward(self, x: torch.Tensor) -> Any:
        y = self.linear(x)
        return self.activation(y), y


class OtherLayout(nn.Module):
    """Weights [in, out], as GPT-2's."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(24, 40))
        self.bias = nn.Parameter(torch.randn(40))

    def forward(self, x: torch.Tensor) -> Any:
        return nn.functional.gelu(torch.addmm(self.bias, x, self.weight))


def fused_program(module: nn.Module, x: torch.Tensor) -> tuple[Any, list[Any]]:
    """The program in the operators that Inductor's last passes see, and its fused layers."""
    with torch.no_grad():
        program = torch.export.export(module.eval(), (x,)).run_decompositions(decompositions)
    found = program.module()
    call_layers(found.graph, DTYPES)
    found.recompile()
    return found, [node.args for node in found.graph.nodes if node.target is FUSED]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((7, 24), torch.float32), ((2, 3, 24), torch.bfloat16)],
    ids=["matrix of float32", "batch of bfloat16"],
)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_part_of_the_layer(
    name: str, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    activation, attributes = ACTIVATIONS[name]
    torch.manual_seed(0)
    module, x = Layer(activation).to(dtype), torch.randn(shape, dtype=dtype)
    fused, layers = fused_program(module, x)
    assert [(args[3], args[5]) for args in layers] == [attributes]
    with torch.no_grad():
        exact = 1e-5 if dtype is torch.float32 else 2e-2
        torch.testing.assert_close(fused(x), module(x), rtol=exact, atol=exact)


def test_layer_without_bias() -> None:
    _, layers = fused_program(Layer(nn.SiLU(), bias=False), torch.randn(7, 24))
    assert [args[2] for args in layers] == [None]


@pytest.mark.parametrize(
    ("module", "dtype"),
    [
        (Twice(nn.GELU()), torch.float32),
        (OtherLayout(), torch.float32),  # torch's operator would want a copy
        (Layer(nn.GELU()), torch.float64),
        (Layer(nn.GELU()), torch.float16),
        (Layer(lambda x: x * torch.erf(x * 0.7) * 0.5), torch.float32),
        (Layer(nn.Softplus()), torch.float32),
    ],
    ids=["used twice", "other layout", "float64", "not asked for", "no GELU", "another activation"],
)
def test_others_stay_as_they_are(module: nn.Module, dtype: torch.dtype) -> None:
    _, layers = fused_program(module.to(dtype), torch.randn(7, 24, dtype=dtype))
    assert layers == []


def test_generated_code_calls_the_fused_operator() -> None:
    with torch.no_grad():
        program = torch.export.export(Layer(nn.GELU()).eval(), (torch.randn(7, 24),))
    for fused in ((), ("float32",)):
        wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=fused)
        assert ("aoti_torch_cpu__linear_pointwise(" in wrapper.source) is bool(fused)
        assert (".erf()" in wrapper.source) is not bool(fused)


class Spelled(nn.Module):
    """Products by parameters: of its own, by a name of two, read twice, written, transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.own, self.twice, self.turned = (nn.Parameter(torch.randn(8, 8)) for _ in range(3))
        self.tied = self.again = nn.Parameter(torch.randn(8, 8))
        self.register_buffer("written", torch.randn(8, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = nn.functional.gelu(x @ self.own) @ self.twice + x @ self.twice
        y = (y @ self.tied) @ self.written + x @ self.turned.t()
        self.written.mul_(0.5)
        return y @ self.again


@pytest.mark.parametrize("shape", [(7, 8), (2, 3, 8)], ids=["matrix", "batch"])
def test_weights_of_other_layout_are_written_transposed(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module, x = Spelled(), torch.randn(shape)
    with torch.no_grad():
        expected = copy.deepcopy(module)(x)
        found: Any = torch.export.export(module.eval(), (x,)).module()
        before = found.state_dict()
        arrange_linear_layers(found, DTYPES)
        after = found.state_dict()
        assert before.keys() - after.keys() == {"own"}
        assert after.keys() - before.keys() == {"own_transposed"}
        assert torch.equal(after["own_transposed"], before["own"].T)
        assert after["own_transposed"].is_contiguous()
        # torch multiplies another layout by another kernel
        torch.testing.assert_close(found(x), expected, rtol=1e-5, atol=1e-4)


def test_layer_of_other_layout_is_fused_without_a_copy() -> None:
    with torch.no_grad():
        program = torch.export.export(OtherLayout().eval(), (torch.randn(7, 24),))
    wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=("float32",))
    assert wrapper.source.count("aoti_torch_cpu__linear_pointwise(") == 1
    assert "_cpp_fused" not in wrapper.source.replace("cpp_fused__linear_pointwise", "")
    weight = next(constant for constant in wrapper.constants if "weight" in constant.fqn)
    assert (tuple(weight.shape), tuple(weight.stride)) == ((40, 24), (24, 1))
    assert weight.fqn == "weight_transposed"


def test_a_pass_that_was_set_for_the_process_stays() -> None:
    seen = []
    with torch.no_grad():
        program = torch.export.export(Layer(nn.ReLU()).eval(), (torch.randn(7, 24),))
    with torch._inductor.config.patch(post_grad_custom_post_pass=seen.append):
        wrapper, _ = generate(program, name="m", simdlen=256, inductor={}, fused=("float32",))
    assert len(seen) == 1
    assert "linear_pointwise" not in wrapper.source
