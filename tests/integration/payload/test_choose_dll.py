"""A model's package loads the DLL of the highest CPU level that the machine has."""

from __future__ import annotations

from typing import Any

import pytest

from aotwin.payload import ModelError
from aotwin.payload.over_torch import _choose_dll

V3, V4 = "x86-64-v3", "x86-64-v4"


def manifest(*levels: str) -> dict[str, Any]:
    """As the build writes it: the first DLL has no suffix."""
    names = ["m.dll", *(f"m.{level}.dll" for level in levels[1:])]
    rows = [{"cpu": level, "file": name} for level, name in zip(levels, names, strict=True)]
    return {"name": "demo.m", "dlls": rows}


def machine(level: int) -> dict[str, bool]:
    """A CPU of this level."""
    return {V4: level >= 4, V3: level >= 3}


@pytest.mark.parametrize(
    ("levels", "level", "dll"),
    [
        ((V3,), 3, "m.dll"),
        ((V3,), 4, "m.dll"),
        ((V4,), 4, "m.dll"),
        ((V3, V4), 3, "m.dll"),
        ((V3, V4), 4, "m.x86-64-v4.dll"),
        ((V4, V3), 3, "m.x86-64-v3.dll"),
        ((V4, V3), 4, "m.dll"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else str(value),
)
def test_the_highest_level_that_the_machine_has_is_chosen(
    levels: tuple[str, ...], level: int, dll: str
) -> None:
    assert _choose_dll(manifest(*levels), machine(level)) == dll


@pytest.mark.parametrize(
    ("levels", "level"),
    [((V4,), 3), ((V3,), 2), ((V4, V3), 2), (("x86-64-v5",), 4)],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_machine_below_every_level_is_refused(levels: tuple[str, ...], level: int) -> None:
    with pytest.raises(ModelError, match=f"for CPUs of the level {', '.join(levels)}, which"):
        _choose_dll(manifest(*levels), machine(level))
