"""The calls that make_wrappers.py kept beside each wrapper: arguments, and eager's results."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
#: of eager on the machine that wrote them
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
_NAME = re.compile(r"call(\d+)_(argument|result)(\d+)")


def load_calls(samples: Path) -> list[dict[str, list[Any]]]:
    """For each call, in their order: "argument" and "result" -> arrays."""
    calls: dict[int, dict[str, dict[int, Any]]] = {}
    with np.load(samples) as arrays:
        for name in arrays.files:
            call, kind, position = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
            calls.setdefault(int(call), {}).setdefault(kind, {})[int(position)] = arrays[name]
    return [
        {kind: [rows[place] for place in sorted(rows)] for kind, rows in calls[index].items()}
        for index in sorted(calls)
    ]


def compare(found: list[Any], expected: list[Any], where: str) -> None:
    """Raise where a call's flat results are not eager's."""
    assert len(found) == len(expected), f"{where}: {len(found)} results"
    for position, (one, other) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose(
            np.asarray(one), other, **TOLERANCE, err_msg=f"{where}, result {position}"
        )


def flat(result: Any) -> list[Any]:
    """The leaves of a result, in the order of its keys as the module gave them."""
    if isinstance(result, dict):
        return [leaf for value in result.values() for leaf in flat(value)]
    if isinstance(result, (list, tuple)):
        return [leaf for value in result for leaf in flat(value)]
    return [result]


def call_package(model: Any, samples: Path) -> None:
    """Call a loaded model with the samples, as numpy arrays or, over torch, as tensors."""
    to_tensor = getattr(sys.modules.get("torch"), "from_numpy", lambda array: array)
    for index, call in enumerate(load_calls(samples)):
        result = flat(model(*map(to_tensor, call["argument"])))
        compare(result, call["result"], f"call {index}")
