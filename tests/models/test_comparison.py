"""What counts as a right result of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from comparison import compared

ARRAY = np.array([[1.0, -2.0], [0.5, float("nan")]], np.float32)


def passes(got: Any, eager: Any, exact: Any = None, dtype: str = "float32") -> bool:
    return all(one.passes(dtype) for one in compared(got, eager, exact))


def test_equal_results_pass() -> None:
    results = ({"a": ARRAY, "b": [np.arange(3), 5, None]}, ARRAY)
    assert passes(results, results)
    assert len(compared(results, results)) == 5


@pytest.mark.parametrize(
    "got",
    [
        pytest.param((ARRAY,), id="one less"),
        pytest.param((ARRAY, ARRAY.astype(np.float64)), id="dtype"),
        pytest.param((ARRAY, ARRAY[:1]), id="shape"),
        pytest.param((ARRAY, None), id="kind"),
        pytest.param((ARRAY, np.zeros_like(ARRAY)), id="numbers"),
        pytest.param((ARRAY, np.nan_to_num(ARRAY)), id="a number for nan"),
        pytest.param((ARRAY, np.full_like(ARRAY, np.nan)), id="nan for a number"),
        pytest.param((ARRAY, ARRAY * np.float32(1.0001)), id="a small factor"),
    ],
)
def test_other_results_do_not_pass(got: Any) -> None:
    assert not passes(got, (ARRAY, ARRAY))


def test_other_integers_do_not_pass() -> None:
    assert not passes(np.array([1, 2]), np.array([1, 3]))


def test_rounding_passes() -> None:
    assert passes(ARRAY + np.float32(1e-6), ARRAY)
    assert passes(ARRAY * np.float32(1.01), ARRAY, dtype="bfloat16")


def test_what_is_nearer_to_the_exact_result_than_eager_passes() -> None:
    exact = np.linspace(1, 2, 50)
    eager = (exact * 1.001).astype(np.float32)
    assert passes(exact.astype(np.float32), eager, exact)
    assert not passes((exact * 0.99).astype(np.float32), eager, exact)
