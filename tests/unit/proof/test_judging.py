"""How near a result must be, and what of the samples is kept."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aotwin.proof_samples import ExpectedResult, Samples, TensorFile, read_tensor
from aotwin.stages.proof.judging import expected_arrays, expected_rows, tolerance_of
from aotwin.stages.proof.keeping import keep_samples, samples_digest


def result(dtype: str, **changes: Any) -> ExpectedResult:
    return ExpectedResult(0, "y", dtype, **changes)


def test_without_more_the_tolerance_is_torchs() -> None:
    assert tolerance_of(result("float32"), None) == (1.3e-6, 1e-5)
    assert tolerance_of(result("int64"), None) == (0.0, 0.0)


def test_what_rounding_makes_of_the_network_is_allowed() -> None:
    noisy = result("float32", noise=1e-4, largest=100.0)
    assert tolerance_of(noisy, None) == (1.3e-6, 4e-4)


def test_a_network_that_rounding_turns_over_excuses_little() -> None:
    chaotic = result("float32", noise=3.0, largest=10.0)
    assert tolerance_of(chaotic, None) == pytest.approx((1.3e-6, 1e-3))


def test_what_was_asked_for_holds_for_all_but_integers() -> None:
    asked = (1e-2, 0.5)
    assert tolerance_of(result("bfloat16", noise=9.0, largest=9.0), asked) == asked
    assert tolerance_of(result("bool"), asked) == (0.0, 0.0)


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Two calls of a model with one argument, and a result behind a constant one."""
    with (
        closing(TensorFile(tmp_path / "inputs")) as inputs,
        closing(TensorFile(tmp_path / "results")) as results,
    ):
        arrays = [np.arange(6, dtype=np.float32).reshape(2, 3) + call for call in range(2)]
        stored = [(inputs.append("float32", a.shape, a.tobytes()),) for a in arrays]
        halves = [(results.append("bfloat16", a.shape, a.astype(np.int16).tobytes()),)
                  for a in arrays]  # fmt: skip
    output = ExpectedResult(1, "y", "bfloat16", noise=1e-3, largest=7.0)
    return Samples("e", inputs.path, results.path, tuple(stored), tuple(halves), (output,))


def test_an_output_is_described_over_all_samples(samples: Samples) -> None:
    (row,) = expected_rows(samples, None)
    assert (row["position"], row["shapes"], row["elements"]) == (1, [[2, 3], [2, 3]], 12)
    assert (row["compared"], row["noise"], row["atol"]) == ("values", 1e-3, 4e-3)


def test_samples_are_kept_under_names_that_a_ready_wrapper_may_have(
    samples: Samples, tmp_path: Path
) -> None:
    assert keep_samples(samples, tmp_path / "proof.npz", None)
    with np.load(tmp_path / "proof.npz", allow_pickle=False) as arrays:
        assert sorted(arrays.files) == [
            "call0_argument0", "call0_result1", "call1_argument0", "call1_result1",
        ]  # fmt: skip
        np.testing.assert_array_equal(arrays["call1_argument0"][0], [1, 2, 3])
        assert arrays["call1_result1"].dtype == np.dtype("V2")
        assert (
            arrays["call1_result1"].tobytes()
            == next(iter([*expected_arrays(samples)][1])).tobytes()
        )


def test_the_same_samples_are_kept_as_the_same_bytes(samples: Samples, tmp_path: Path) -> None:
    for name in ("a", "b"):
        keep_samples(samples, tmp_path / name, True)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert samples_digest(samples) == samples_digest(samples)


def test_samples_that_are_not_wanted_or_large_are_not_kept(
    samples: Samples, tmp_path: Path
) -> None:
    assert not keep_samples(samples, tmp_path / "proof.npz", False)
    noise = np.random.default_rng(0).standard_normal(1 << 18).astype(np.float32)
    with closing(TensorFile(tmp_path / "large")) as file:
        stored = file.append("float32", noise.shape, noise)
    large = Samples("e", file.path, file.path, ((stored,),), ((stored,),),
                    (ExpectedResult(0, "y", "float32"),))  # fmt: skip
    assert not keep_samples(large, tmp_path / "proof.npz", None)
    assert not (tmp_path / "proof.npz").exists()
    assert keep_samples(large, tmp_path / "proof.npz", True)
    # A large one is of the file's own memory.
    assert isinstance(read_tensor(file.path, stored), np.memmap)
