"""Which constants are weights of linear layers only, told by the code; and their strides in it."""

from __future__ import annotations

import pytest
from generated_wrapper import FakeConstant
from generated_wrapper import source as wrapper_source

from aotwin.stages.wrapper import parse_source, weights_of_layers, with_strides

HEAD = """
    constants_info_[0].name = "w";
void AOTInductorModel::_const_run_impl(
) {}
void AOTInductorModel::run_impl(
    [[maybe_unused]] auto& w = constants_->at(0);
    [[maybe_unused]] auto& b = constants_->at(1);
    // Topologically Sorted Source Nodes: [w], Original ATen: [aten.mm]
"""
LAYER = (
    "    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu__linear_pointwise({rows}, {weight}, "
    '&temporary_reference(b.get()), "none", std::array<const double*, 1>{{&v}}.data(), 1, &a, &h));'
)


def layer(rows: str = "buf0", weight: str = "w") -> str:
    return LAYER.format(rows=rows, weight=weight) + "\n"


def test_a_weight_that_layers_alone_get() -> None:
    view = "wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(buf1, 2, s, t, 0L))"
    source = HEAD + layer() + layer(view)
    assert weights_of_layers(source, ["w", "b", "absent"]) == {"w", "absent"}


@pytest.mark.parametrize(
    "line",
    [
        "    cpp_fused_add_0((const float*)(w.data_ptr()), (float*)(buf0.data_ptr()));\n",
        "    AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(buf0, buf1, w));\n",
        "    auto alias = w;\n",
        layer(rows="w"),
        layer(rows="w", weight="other"),
        layer(weight="reinterpret_tensor_wrapper(w, 2, s, t, 0L)"),
    ],
)
def test_one_that_other_code_gets(line: str) -> None:
    assert weights_of_layers(HEAD + layer() + line, ["w"]) == frozenset()


def test_one_that_is_folded() -> None:
    folding = HEAD.replace(") {}", ") {\n    auto x = w;\n}")
    assert weights_of_layers(folding + layer(), ["w"]) == frozenset()


def test_strides_are_changed_where_they_are_said() -> None:
    first = FakeConstant("first", data_size=64 * 16, shape=(64, 4))
    others = [FakeConstant(f"other{index}") for index in range(10)]
    found = wrapper_source((first, *others, first))
    changed = with_strides(found, {0: (1, 32), 10: (1, 4)})
    strides = [each.stride for each in parse_source(changed).constants]
    assert strides == [(1, 32), *[(4, 1)] * 9, (1, 4), (4, 1)]
    assert with_strides(found, {}) == found
    differing = [
        line
        for line, was in zip(changed.splitlines(), found.splitlines(), strict=True)
        if line != was
    ]
    assert len(differing) == 2
