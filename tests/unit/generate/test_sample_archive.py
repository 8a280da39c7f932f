"""Samples of a ready wrapper come from an archive that may be anybody's."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aotwin.errors import ConfigurationError
from aotwin.proof_samples import Samples, read_tensor
from aotwin.stages.generate.sample_archive import archive_samples
from aotwin.values import TensorSpec, Wrapper

WRAPPER = Wrapper(
    source="",
    definitions=(),
    constants=(),
    metadata={},
    extern_nodes=None,
    inputs=(TensorSpec("x", "float32", (None, 3)), TensorSpec("ids")),
    outputs=(TensorSpec("y", "bfloat16"), TensorSpec("n"), TensorSpec("z")),
    fixed_outputs={1: None},
)
GOOD: dict[str, Any] = {
    "call0_argument0": np.ones((2, 3), np.float32),
    "call0_argument1": np.arange(2),
    "call0_result0": np.zeros((2, 3), "V2"),
    "call0_result2": np.array(True),
}

_file = io.BytesIO()
np.save(_file, np.zeros(3))
#: one array is no archive of several
NPY = _file.getvalue()


def samples(folder: Path, **changes: Any) -> Samples:
    arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
    np.savez(folder / "s.npz", **arrays)
    return archive_samples(folder / "s.npz", WRAPPER, folder)


def test_arguments_and_results_are_read_with_their_types(tmp_path: Path) -> None:
    found = samples(tmp_path)
    assert (found.source, found.versions) == ("s.npz", {})
    assert [each.dtype for each in found.inputs[0]] == ["float32", "int64"]
    assert [(each.position, each.dtype) for each in found.outputs] == [(0, "bfloat16"), (2, "bool")]
    assert read_tensor(found.results_file, found.results[0][1]).tolist() is True


def test_elements_in_another_order_of_bytes_or_memory_are_the_same_numbers(tmp_path: Path) -> None:
    array = np.arange(6, dtype=">f4").reshape(3, 2).T
    found = samples(tmp_path, call0_argument0=array)
    np.testing.assert_array_equal(read_tensor(found.inputs_file, found.inputs[0][0]), array)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"call0_argument1": None}, "call 0 has the arguments [0], the model's are [0, 1]"),
        ({"call0_result1": np.zeros(1)}, "call 0 has the results [0, 1, 2], the model's are"),
        ({"call2_argument0": np.zeros(1)}, "its calls are not numbered 0, 1, 2, ..."),
        ({"x": np.zeros(1)}, "it has an array 'x'"),
        ({"call0_argument0": np.zeros((2, 4), np.float32)}, "call 0: x is float32 [2, 4], the"),
        ({"call0_argument0": np.zeros((2, 3))}, "call 0: x is float64 [2, 3], the model's is"),
        ({"call0_argument1": np.array(["a"])}, "call 0: ids is str"),
        ({"call0_argument1": np.array([{}])}, "Object arrays cannot be loaded"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        samples(tmp_path, **changes)
    assert told in caught.value.cause


@pytest.mark.parametrize("content", [b"", b"PK\3\4 not a zip", b"\x93NUMPY", NPY])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        archive_samples(path, WRAPPER, tmp_path)


def test_a_wrapper_that_draws_numbers_is_compared_by_form(tmp_path: Path) -> None:
    from dataclasses import replace

    np.savez(tmp_path / "s.npz", **GOOD)
    wrapper = replace(WRAPPER, source="x = normalized_rand_cpu(seed, 3);")
    found = archive_samples(tmp_path / "s.npz", wrapper, tmp_path)
    assert all(each.is_random for each in found.outputs)
