"""The user's reference of operators, generated from the run time's own table.

`python -m aotwin.stages.runtime.reference > docs/reference/operators.md`
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from aotwin.target.toolchain import toolchain_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLE = "windows/runtime/operators/operators.toml"
_INTRODUCTION = """\
# Operators of aotwin's own run time

Most of a network is code that AOTInductor generates; what is listed here is what generated code
calls besides: matrix products, convolutions, attention, and whatever else has no loop of its own. A
model that needs none but these runs without torch (`runtime = "auto"` sees to it). One that needs
another runs over torch, and the build names the operator.

Each is compared with eager torch over the inputs that torch's own tests use. Indices and masks have
their own types and are not counted among the dtypes. A dtype that is not named is an error of the
call.

| operator | dtypes | remarks |
|---|---|---|
"""
_END = """
Where the dtypes stand for several:

"""


def operators_reference() -> str:
    """Markdown: one row for each entry of the table, in its order."""
    with toolchain_path(_TABLE).open("rb") as file:
        data = tomllib.load(file)
    rows = "".join(_row(each) for each in data["operator"])
    groups = "".join(
        f"- {name}: {', '.join(members)}\n" for name, members in data["dtypes"].items()
    )
    return _INTRODUCTION + rows + _END + groups


def _row(operator: Mapping[str, Any]) -> str:
    dtypes: Sequence[str] = operator.get("dtypes", ())
    note = str(operator.get("note", "")).replace("|", "\\|")
    return f"| {operator['name']} | {', '.join(dtypes) or 'any'} | {note} |\n"


if __name__ == "__main__":
    sys.stdout.write(operators_reference())
