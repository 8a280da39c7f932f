"""The user's settings for Inductor are merged, and those that are aotwin's own are refused."""

from __future__ import annotations

from typing import Any

import pytest

from aotwin.errors import ConfigurationError
from aotwin.stages.generate.inductor_options import merged_options

KNOWN: dict[str, Any] = {
    "max_autotune": False,
    "freezing": False,
    "epilogue_fusion": True,
    "cpp.min_chunk_size": 512,
    "cpp.simdlen": None,
    "cpp.threads": -1,
    "cpp.cxx": (None, "g++"),
    "aot_inductor.package_constants_in_so": True,
    "aot_inductor.debug_compile": False,
    "aot_inductor.check_lowerbound": True,
    "layout_cost": 1.0,
    "post_grad_fusion_options": {},
    "aten_distributed": None,
}


def _merged(user: dict[str, Any]) -> dict[str, Any]:
    return merged_options(user, KNOWN, name="m", simdlen=256)


def test_what_is_aotwins_own_is_always_set() -> None:
    options = _merged({})
    assert options["cpp.simdlen"] == 256
    assert options["cpp.dynamic_threads"] is True
    assert options["freezing"] is False
    assert options["aot_inductor.model_name_for_generated_files"] == "m"


ACCEPTED: dict[str, tuple[dict[str, Any], str, Any]] = {
    "dotted": ({"cpp.min_chunk_size": 64}, "cpp.min_chunk_size", 64),
    "table": ({"cpp": {"min_chunk_size": 64}}, "cpp.min_chunk_size", 64),
    "setting that is a table": (
        {"post_grad_fusion_options": {"a": {}}},
        "post_grad_fusion_options",
        {"a": {}},
    ),
    "integer for a float": ({"layout_cost": 2}, "layout_cost", 2),
    "default of unknown type": ({"aten_distributed": "x"}, "aten_distributed", "x"),
    "what it is anyway": ({"max_autotune": False}, "max_autotune", False),
    "default of a closed group": (
        {"aot_inductor.debug_compile": False},
        "aot_inductor.debug_compile",
        False,
    ),
    "open one of a closed group": (
        {"aot_inductor": {"check_lowerbound": False}},
        "aot_inductor.check_lowerbound",
        False,
    ),
}


@pytest.mark.parametrize(("user", "name", "value"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_setting_is_passed_on(user: dict[str, Any], name: str, value: Any) -> None:
    assert _merged(user)[name] == value


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "frozen weights": ({"freezing": True}, "'freezing' cannot be True"),
    "autotuning": ({"max_autotune": True}, "'max_autotune' cannot be True"),
    "vectors": ({"cpp.simdlen": 512}, "'cpp.simdlen' cannot be 512"),
    "threads": ({"cpp": {"threads": 2}}, "'cpp.threads' cannot be 2"),
    "weights in the library": (
        {"aot_inductor.package_constants_in_so": True},
        "'aot_inductor.package_constants_in_so' cannot be True",
    ),
    "closed group": ({"aot_inductor.debug_compile": True}, "cannot be True here"),
    "unknown": ({"max_autotun": True}, "no setting 'max_autotun'"),
    "unknown in a table": ({"cpp": {"min_chunk": 1}}, "no setting 'cpp.min_chunk'"),
    "wrong type": ({"cpp.min_chunk_size": "64"}, "'cpp.min_chunk_size' cannot be '64'"),
    "number for a switch": ({"epilogue_fusion": 1}, "'epilogue_fusion' cannot be 1"),
}


@pytest.mark.parametrize(("user", "message"), REFUSED.values(), ids=REFUSED)
def test_a_setting_is_refused_by_name(user: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        _merged(user)
    assert error.value.next_step


def test_the_nearest_setting_is_named() -> None:
    with pytest.raises(ConfigurationError) as error:
        _merged({"max_autotun": True})
    assert "'max_autotune'" in error.value.cause


def test_a_torch_that_lacks_a_setting_is_not_given_it() -> None:
    """torch 2.10 has no cpp.march."""
    assert "cpp.march" not in _merged({})
    later = merged_options({}, {**KNOWN, "cpp.march": "native"}, name="m", simdlen=256)
    assert later["cpp.march"] == ""
