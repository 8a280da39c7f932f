"""The last words of a build say what was made, how large, how far proven, and what comes next."""

from __future__ import annotations

import json
from typing import Any

import pytest
from model_folder import build_files, manifest_of

from aotwin.formats.manifest_reader import Manifest, parse_manifest
from aotwin.outcome import megabytes, outcome

FOUND: dict[str, Any] = {"max_abs": 2.4e-7, "max_rel": 1e-6, "histogram": {"equal": 5, "-7": 1}}
EXPECTED: dict[str, Any] = {
    "position": 0, "name": "y", "dtype": "float32", "shapes": [[2], [2], [2]],
    "compared": "values", "elements": 6, "rtol": 1e-6, "atol": 1e-5, "noise": None,
}  # fmt: skip


def manifest(proof: dict[str, Any] | None = None, **changes: Any) -> Manifest:
    tree = manifest_of(build_files()) | changes
    if proof is not None:
        tree["proof"] = {
            "samples": 3, "source": "m:samples", "inputs_sha256": "", "data": "", "versions": {},
            "outputs": [EXPECTED], **proof,
        }  # fmt: skip
    return parse_manifest(json.dumps(tree).encode())


def test_a_model_is_told_in_four_lines() -> None:
    lines = outcome("out/demo/classifier", 12_345_678, [manifest()], "aotwin run out")
    assert lines[0] == "out/demo/classifier, 12.3 MB"
    assert lines[1].startswith("demo.classifier: classifier.dll ")
    assert lines[1].endswith(" (x86-64-v3), weights 192 bytes, over torch 2.13.0")
    assert lines[2].startswith("not proven: nothing was run")
    assert lines[3] == "next: aotwin run out"


PROOFS: dict[str, tuple[dict[str, Any], str]] = {
    "proven": (
        {"status": "proven", "dlls": {"x86-64-v3": {"outputs": [FOUND]}}},
        "proven: 3 calls compared with eager torch, largest difference 2.4e-07",
    ),
    "partly": (
        {
            "status": "partly",
            "samples": 1,
            "dlls": {"x86-64-v3": {"outputs": [FOUND]}, "x86-64-v4": {"unproven": "no AVX-512"}},
        },
        "proven in part: 1 call compared with eager torch, largest difference 2.4e-07; "
        "x86-64-v4: no AVX-512",
    ),
    "unproven": (
        {"status": "unproven", "dlls": {"x86-64-v4": {"unproven": "no AVX-512"}}},
        "not proven: x86-64-v4: no AVX-512",
    ),
}


@pytest.mark.parametrize(("proof", "said"), PROOFS.values(), ids=PROOFS)
def test_how_far_a_model_is_proven_is_said(proof: dict[str, Any], said: str) -> None:
    assert outcome("m", 1, [manifest(proof)], "")[2] == said


@pytest.mark.parametrize(
    ("nbytes", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (3400, "3.4 kB"), (90_868_376, "90.9 MB"),
     (2_500_000_000, "2.5 GB")],
)  # fmt: skip
def test_sizes_are_said_as_people_say_them(nbytes: int, said: str) -> None:
    assert megabytes(nbytes) == said
