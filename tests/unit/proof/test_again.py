"""A package that was tampered with is refused in one message, whatever is wrong with it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_folder import build_files, write_model

from aotwin.errors import LoadError, UsageError
from aotwin.payload import ModelError
from aotwin.stages.proof import verify_folder
from aotwin.verifying import verify

ROW = {
    "position": 0, "name": "y", "dtype": "float32", "shapes": [[1]], "compared": "values",
    "elements": 1, "rtol": 0.0, "atol": 0.0, "noise": None,
}  # fmt: skip
PROOF = {
    "status": "unproven",
    "samples": 1,
    "source": "e",
    "inputs_sha256": "",
    "data": "proof.npz",
    "versions": {},
    "outputs": [ROW],
    "dlls": {"x86-64-v3": {"unproven": "why"}},
}
TENSOR = {"kind": "tensor", "name": "x", "dtype": "float32", "shape": [1], "dim_order": None}


def model(folder: Path, data: bytes, **changes: Any) -> Path:
    """A model's folder whose manifest vouches for whatever lies in proof.npz."""
    home = write_model(folder, build_files())
    (home / "proof.npz").write_bytes(data)
    path = home / "aotwin.json"
    manifest = json.loads(path.read_text())
    manifest["files"]["proof.npz"] = hashlib.sha256(data).hexdigest()
    manifest |= {"proof": PROOF, "inputs": [TENSOR], "outputs": [TENSOR], **changes}
    path.write_text(json.dumps(manifest))
    return home


def archive(folder: Path, **arrays: Any) -> bytes:
    np.savez(folder / "made.npz", **arrays)
    return (folder / "made.npz").read_bytes()


@pytest.mark.parametrize("data", [b"", b"PK", b"\x93NUMPY\x01\x00v\x00{}"])
def test_samples_that_are_none_are_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be used"):
        verify_folder(model(tmp_path, data))


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"call0_argument0": np.zeros(1, np.float32)},
        {"call0_argument0": np.array([{}]), "call0_result0": np.zeros(1)},
    ],
    ids=["nothing", "no result", "an object"],
)
def test_samples_that_are_not_whole_are_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="cannot be used"):
        verify_folder(model(tmp_path, archive(tmp_path, **arrays)))


def test_inputs_of_no_form_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be used"):
        verify_folder(model(tmp_path, archive(tmp_path), inputs=[3]))


def test_a_model_without_a_proof_says_how_it_gets_one(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="cannot be proven again") as caught:
        list(verify(write_model(tmp_path, build_files())))
    assert 'Build it with check = "run" and proof-data = true' in caught.value.cause


def test_what_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="holds no built model"):
        list(verify(tmp_path))
    with pytest.raises(UsageError, match="neither a folder nor a wheel"):
        list(verify(tmp_path / "nowhere"))
    (tmp_path / "a.whl").write_bytes(b"no zip")
    with pytest.raises(LoadError, match="cannot be unpacked"):
        list(verify(tmp_path / "a.whl"))
