"""A manifest's `proof` is read as it was written, and nothing else is taken for one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from aotwin.formats.proof import Proof, ProofError, parse_proof, proof_status

OUTPUT: dict[str, Any] = {
    "name": "logits",
    "dtype": "float32",
    "shapes": [[2, 4], [1, 4]],
    "compared": "values",
    "elements": 12,
    "max_abs": 2.4e-7,
    "max_rel": 1e-6,
    "rtol": 1.3e-6,
    "atol": 1e-5,
    "noise": None,
    "histogram": {"equal": 10, "-7": 2},
}
PROOF: dict[str, Any] = {
    "status": "partly",
    "samples": 2,
    "source": "export_model:samples",
    "inputs_sha256": "a" * 64,
    "data": "proof.npz",
    "versions": {"aotwin": "0.1.0", "torch": "2.13.0", "wine": "wine-8.0"},
    "dlls": {
        "x86-64-v3": {"outputs": [OUTPUT]},
        "x86-64-v4": {"unproven": "this machine's CPU has no AVX-512"},
    },
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """PROOF with another value at "dlls/x86-64-v3/outputs/0/name"."""
    tree = copy.deepcopy(PROOF)
    node: Any = tree
    *way, last = (int(part) if part.isdigit() else part for part in place.split("/"))
    for part in way:
        node = node[part]
    node[last] = value
    return tree


def test_what_was_written_is_read() -> None:
    proof = parse_proof(PROOF)
    assert (proof.status, proof.samples, proof.data) == ("partly", 2, "proof.npz")
    (output,) = proof.dlls["x86-64-v3"].outputs
    assert output.shapes == ((2, 4), (1, 4))
    assert output.max_abs == 2.4e-7
    assert output.histogram == {"equal": 10, "-7": 2}
    assert proof.dlls["x86-64-v4"].unproven == "this machine's CPU has no AVX-512"


@pytest.mark.parametrize(
    ("dlls", "status"),
    [
        ({"v3": {"outputs": []}}, "proven"),
        ({"v3": {"outputs": []}, "v4": {"unproven": "why"}}, "partly"),
        ({"v4": {"unproven": "why"}}, "unproven"),
    ],
)
def test_the_status_follows_from_the_dlls(dlls: dict[str, Any], status: str) -> None:
    assert proof_status(dlls) == status
    assert isinstance(parse_proof({**PROOF, "dlls": dlls, "status": status}), Proof)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("status", "proven"),
        ("samples", -1),
        ("samples", True),
        ("source", None),
        ("versions", []),
        ("versions/torch", 2.13),
        ("dlls", {"x86-64-v3": []}),
        ("dlls/x86-64-v4/unproven", ""),
        ("dlls/x86-64-v3/outputs/0/shapes", [[-1]]),
        ("dlls/x86-64-v3/outputs/0/compared", "nothing"),
        ("dlls/x86-64-v3/outputs/0/max_abs", float("nan")),
        ("dlls/x86-64-v3/outputs/0/max_abs", 10**400),
        ("dlls/x86-64-v3/outputs/0/rtol", None),
        ("dlls/x86-64-v3/outputs/0/noise", "1"),
        ("dlls/x86-64-v3/outputs/0/histogram", {"<script>": 1}),
        ("dlls/x86-64-v3/outputs/0/histogram", {"-7": "many"}),
        ("dlls/x86-64-v3/outputs/0/name", "n" * 100_000),
    ],
)
def test_what_is_not_of_the_form_is_refused(place: str, value: Any) -> None:
    with pytest.raises(ProofError):
        parse_proof(changed(place, value))
