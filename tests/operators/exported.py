"""The C functions that our run time exports, read from its sources."""

from __future__ import annotations

import re
from pathlib import Path

RUNTIME = Path(__file__).parents[2] / "toolchains" / "windows" / "runtime"

#: What no case can say much of: no result to compare, or nothing that a CPU could do.
WITHOUT_CASES = frozenset(
    {
        "aoti_torch__embedding_bag",
        "aoti_torch_check",
        "aoti_torch_cpu__efficientzerotensor",
        "aoti_torch_create_device_guard",
        "aoti_torch_delete_c10_value_object",
        "aoti_torch_delete_device_guard",
        "aoti_torch_delete_stream",
        "aoti_torch_device_guard_set_index",
        "aoti_torch_empty_strided_pinned",
        "aoti_torch_get_current_device_index",
        "aoti_torch_get_current_stream",
        "aoti_torch_int64_to_ivalue",
        "aoti_torch_print_tensor_handle",
        "aoti_torch_save_tensor_handle",
        "aoti_torch_str_to_ivalue",
        "aoti_torch_stream_id",
        "aoti_torch_strlist_to_ivalue",
        "aoti_torch_tensor_to_ivalue",
        "aoti_torch_warn",
    }
)


def exported() -> list[str]:
    """The names under which torch knows them too, in order; those of OpenMP are no part of it."""
    names = {
        name
        for source in RUNTIME.rglob("*.cpp")
        for name in re.findall(r"AOTWIN_SHIM\((\w+)\)", source.read_text("utf-8"))
    }
    return sorted(name for name in names if name.startswith(("aoti_torch_", "aoti_record_")))
