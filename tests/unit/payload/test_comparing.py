"""What counts as the same result, and what is told of one that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aotwin.payload.comparing import (
    TOLERANCES,
    Tally,
    dtype_of,
    inputs_digest,
    judge,
    numbers,
    stored_type,
    table,
)

ml_dtypes = pytest.importorskip("ml_dtypes")

FLOAT8 = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"]


def output(dtype: str = "float32", **changes: Any) -> dict[str, Any]:
    rtol, atol = TOLERANCES.get(dtype, (0.0, 0.0))
    return {
        "position": 0,
        "name": "y",
        "dtype": dtype,
        "compared": "values",
        "elements": 0,
        "rtol": rtol,
        "atol": atol,
        **changes,
    }


def found_in(row: dict[str, Any], found: Any, expected: Any) -> Tally:
    tally = Tally(row)
    tally.add(0, found, expected)
    return tally


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32),
        np.array(2.5, np.float64),
        np.zeros((0, 3), np.float16),
        np.array([True, False]),
        np.array([2**62, -(2**63)], np.int64),
        np.array([complex(np.nan, 1), complex(1, np.inf), 1 + 2j], np.complex64),
    ],
    ids=lambda each: f"{each.dtype.name}{list(each.shape)}",
)
def test_what_is_the_same_is_the_same(values: Any) -> None:
    tally = found_in(output(values.dtype.name), values.copy(), values)
    assert tally.mismatch is None
    equal = {"equal": values.size} if values.size else {}
    assert tally.row() == {"max_abs": 0.0, "max_rel": 0.0, "histogram": equal}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1.0, np.nan),
        (np.nan, 1.0),
        (np.inf, 3e38),
        (np.inf, -np.inf),
        (1.0, np.inf),
        (np.nan, np.inf),
        (1.0, 1.0001),
    ],
)
def test_what_is_not_near_is_a_mismatch(found: float, expected: float) -> None:
    pair = (np.array([0.0, value], np.float32) for value in (found, expected))
    tally = found_in(output(), *pair)
    assert "1 of 2 elements differ by more than is allowed" in str(tally.mismatch)
    assert "at index [1]" in str(tally.mismatch)


def test_integers_that_a_float_takes_for_one_are_told_apart() -> None:
    tally = found_in(output("int64"), np.array([2**62 + 1]), np.array([2**62]))
    assert "found 4611686018427387905, expected 4611686018427387904" in str(tally.mismatch)
    assert "allowed: none" in str(tally.mismatch)


def test_a_mismatch_tells_sample_place_and_both_values() -> None:
    expected = np.ones((2, 3, 4), np.float32)
    found = expected.copy()
    found[1, 2, 0], found[0, 0, 1] = 1.5, 1.25
    _, mismatch = judge([output()], [[expected], [found]], [[expected], [expected]])
    assert str(mismatch) == (
        "y of sample 1: 2 of 24 elements differ by more than is allowed. Largest absolute "
        "difference 0.5 at index [1, 2, 0]: found 1.5, expected 1.0; largest relative difference "
        "0.5; allowed: 1e-05 + 1.3e-06 * |expected|"
    )


def test_a_mismatch_behind_the_first_chunk_has_its_own_place() -> None:
    expected = np.zeros((3, 1 << 20), np.float32)
    found = expected.copy()
    found[2, 7] = 1
    assert "at index [2, 7]" in str(found_in(output(), found, expected).mismatch)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "the model gives nothing"),
        (np.zeros(3), "its dtype is float64, expected float32"),
        (np.zeros((3, 1), np.float32), "its shape is [3, 1], expected [3]"),
    ],
)
def test_dtype_and_shape_are_compared_first(found: Any, told: str) -> None:
    for compared in ("values", "form"):
        tally = found_in(output(compared=compared), found, np.zeros(3, np.float32))
        assert str(tally.mismatch) == f"y of sample 0: {told}"


def test_of_random_results_the_form_alone_is_compared() -> None:
    tally = found_in(output(compared="form"), np.ones(3, np.float32), np.zeros(3, np.float32))
    assert tally.mismatch is None
    assert tally.row() == {"max_abs": None, "max_rel": None, "histogram": {}}


def test_a_histogram_counts_by_decades() -> None:
    expected = np.zeros(5)
    found = np.array([0.0, 2e-8, 3e-8, -5e-7, 0.0])
    row = found_in(output("float64", atol=1.0), found, expected).row()
    assert row["histogram"] == {"equal": 2, "-7": 1, "-8": 2}
    assert row["max_abs"] == 5e-7


@pytest.mark.parametrize("dtype", ["bfloat16", *FLOAT8])
def test_raw_elements_are_the_numbers_that_ml_dtypes_reads(dtype: str) -> None:
    kind = np.dtype(getattr(ml_dtypes, dtype))
    bits = np.arange(1 << (8 * kind.itemsize), dtype=f"u{kind.itemsize}")
    with np.errstate(invalid="ignore"):
        expected = bits.view(kind).astype(np.float64)
    np.testing.assert_array_equal(numbers(bits.view(stored_type(dtype)), dtype), expected)


def test_complex32_is_a_pair_of_halves() -> None:
    pairs = np.array([[1.5, -2.0], [np.inf, 0.25]], np.float16)
    raw = pairs.view("V4").reshape(-1)
    assert numbers(raw, "complex32").tolist() == [complex(1.5, -2), complex(np.inf, 0.25)]


@pytest.mark.parametrize(
    ("raw", "known", "dtype"),
    [
        ("V2", "", "bfloat16"),
        ("V2", "bfloat16", "bfloat16"),
        ("V1", "float8_e5m2", "float8_e5m2"),
        ("V4", "", "complex32"),
        ("f4", "bfloat16", "float32"),
    ],
)
def test_raw_elements_are_told_apart_by_what_is_expected(raw: str, known: str, dtype: str) -> None:
    assert dtype_of(np.zeros(2, raw), known) == dtype


def test_the_digest_of_inputs_tells_shapes_dtypes_and_samples_apart() -> None:
    zeros = np.zeros(4, np.float32)
    digests = {
        inputs_digest([[("float32", zeros)]]),
        inputs_digest([[("float32", zeros.reshape(2, 2))]]),
        inputs_digest([[("float32", zeros.reshape(2, 2).T + 1)]]),
        inputs_digest([[("int32", zeros.view(np.int32))]]),
        inputs_digest([[("bfloat16", np.zeros((), "V2"))]]),
        inputs_digest([[("float32", zeros[:0])]]),
    }
    assert len(digests) == 6
    view = np.arange(12, dtype=np.float32).reshape(3, 4).T
    assert inputs_digest([[("f", view)]]) == inputs_digest([[("f", view.copy())]])


def test_the_table_has_a_line_for_each_output_of_each_dll() -> None:
    row = {"max_abs": 2.5e-7, "max_rel": 0.0, "histogram": {}}
    random = {"max_abs": None, "max_rel": None, "histogram": {}}
    lines = list(table([("m.dll", output(), row), ("m.dll", output(compared="form"), random)]))
    assert len(lines) == 3
    assert "2.50e-07 1.0e-05 + 1.3e-06 * |expected|" in lines[1]
    assert lines[2].endswith("random: dtype and shape only")
