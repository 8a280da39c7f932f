"""operators.toml says what the compiled library computes: no more, and no less."""

from __future__ import annotations

from typing import Any

import pytest
import tomllib

torch = pytest.importorskip("torch")

from . import native_library  # noqa: E402
from .handles import NUMBERS, RuntimeCallError  # noqa: E402
from .operator_calls import Operators, operators  # noqa: E402, F401
from .operator_samples import CALLS  # noqa: E402

pytestmark = [pytest.mark.zig, pytest.mark.torch]

TABLE: dict[str, Any] = tomllib.loads(
    (native_library.SOURCES / "operators" / "operators.toml").read_text("utf-8")
)
DTYPES: dict[str, set[str]] = {
    function: {dtype for group in operator["dtypes"] for dtype in TABLE["dtypes"][group]}
    for operator in TABLE["operator"]
    for function in operator["functions"]
}
#: these are moved only where no arithmetic is asked for, and no sample asks for it
SEEN = [d for d in NUMBERS if str(d) not in ("torch.complex32", "torch.float8_e8m0fnu")]


def test_the_table_has_each_function_once() -> None:
    names = [name for operator in TABLE["operator"] for name in operator["functions"]]
    assert len(names) == len(set(names))


def test_the_table_has_all_functions_that_are_exported() -> None:
    written = native_library.exported_names(folders=("operators", "products"))
    assert {name for name in written if name.startswith("aoti_")} == set(DTYPES)


def test_each_function_of_operators_is_sampled() -> None:
    written = native_library.exported_names(folders=("operators",))
    assert {name for name in written if name.startswith("aoti_")} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_dtypes_are_those_of_the_table(operators: Operators, name: str) -> None:  # noqa: F811
    computed = set()
    for dtype in SEEN:
        try:
            CALLS[name](operators, name, dtype)
        except RuntimeCallError as refusal:
            assert str(refusal)
        else:
            computed.add(str(dtype).removeprefix("torch."))
    assert computed == DTYPES[name]
