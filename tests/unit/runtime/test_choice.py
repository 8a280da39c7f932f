"""A model gets our own run time where that has all it calls; the user is told what decided."""

from __future__ import annotations

import pytest

from aotwin.errors import ConfigurationError
from aotwin.stages.runtime import choose_run_time

COVERED = ("aoti_torch_get_dim", "aoti_torch_empty_strided", "__kmpc_fork_call")
LACKING = (*COVERED, "aoti_torch_cpu_no_such_operator")


@pytest.mark.parametrize("wanted", ["auto", "own"])
def test_a_model_whose_functions_are_all_there_does_without_torch(wanted: str) -> None:
    choice = choose_run_time("m", wanted, COVERED)
    assert choice.own
    assert choice.remark == ""


def test_torch_is_taken_where_it_is_asked_for() -> None:
    assert not choose_run_time("m", "torch", COVERED).own


def test_torch_is_taken_where_an_operator_is_missing_and_the_operator_is_named() -> None:
    choice = choose_run_time("demo.net", "auto", LACKING)
    assert not choice.own
    assert choice.remark == ("demo.net runs over torch, whose operators it needs: no_such_operator")


def test_operators_without_a_c_function_decide_for_torch_too() -> None:
    choice = choose_run_time("m", "auto", COVERED, fallbacks=["aten::svd"])
    assert not choice.own
    assert "aten::svd" in choice.remark


def test_asking_for_our_own_where_it_lacks_something_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigurationError) as raised:
        choose_run_time("demo.net", "own", LACKING)
    text = str(raised.value)
    assert "demo.net cannot do without torch" in text
    assert "no_such_operator" in text
    assert 'runtime = "torch"' in text
