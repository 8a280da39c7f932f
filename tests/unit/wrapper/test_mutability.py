"""Constants that generated code may write are found from its text."""

from __future__ import annotations

import pytest

from aotwin.stages.wrapper.mutability import pointer_written_names, written_names

READS = {
    "declaration": "[[maybe_unused]] auto& w = constants_->at(0);",
    "pointer to const": "k((float*)(buf0.data_ptr()), (const float*)(w.data_ptr()), s77);",
    "operand of a shim": (
        "AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_addmm_out(buf0, buf1, w, w, 1L, 1L));"
    ),
    "view as an operand": (
        "AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(buf0, buf1, "
        "wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(w, 2, a0, a1, 0L))));"
    ),
    "clone": "aoti_torch_clone(w, &output_handles[4]);",
    "sizes": "auto s = w.sizes();",
    "another name": "k((float*)(ww.data_ptr()), w_1, x.w_);",
    "comment": "// w",
}
WRITES = {
    "pointer": "k((const float*)(w.data_ptr()), (float*)(w.data_ptr()));",
    "pointer to another type": "k((int64_t*)(w.data_ptr()));",
    "pointer to a type with a namespace": "k((c10::BFloat16*)(w.data_ptr()));",
    "result of a shim": "AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out(w, buf0, buf1));",
    "result of a shim that is not checked": "aoti_torch_cpu_scatter_src_out(w, w,0,buf2,buf3);",
    "view as a result": (
        "AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_cpu_mm_out("
        "wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(w, 2, a0, a1, 0L)), b, c));"
    ),
    "in place": "AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_copy_(w, buf0, 0));",
    "alias": "auto buf1 = wrap_with_raii_handle_if_needed(reinterpret_tensor_wrapper(w, 1, a));",
    "proxy executor": (
        "AOTI_TORCH_ERROR_CODE_CHECK(aoti_torch_proxy_executor_call_function("
        "proxy_executor, 0, 0, a, 4, std::array<AtenTensorHandle, 1>{w}.data()));"
    ),
}


def _code(line: str) -> str:
    return f"w = 1;\nvoid AOTInductorModel::run_impl(\n) {{\n    {line}\n}}\n"


@pytest.mark.parametrize("line", READS.values(), ids=READS)
def test_a_plain_read_leaves_a_constant_immutable(line: str) -> None:
    assert written_names(_code(line), ["w"]) == frozenset()


@pytest.mark.parametrize("line", WRITES.values(), ids=WRITES)
def test_what_may_write_makes_a_constant_mutable(line: str) -> None:
    assert written_names(_code(line), ["w"]) == {"w"}


def test_a_kernel_writes_through_a_plain_pointer_only() -> None:
    code = "k((const float*)(a.data_ptr()), (float*)(b.data_ptr()), (float*)(buf0.data_ptr()));"
    assert pointer_written_names(code, ["a", "b"]) == {"b"}
