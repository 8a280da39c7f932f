"""A manifest's `proof` is read as it was written, and nothing else is taken for one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from aotwin.formats.proof import Proof, ProofError, parse_proof, proof_status

OUTPUT: dict[str, Any] = {
    "position": 0,
    "name": "logits",
    "dtype": "float32",
    "shapes": [[2, 4], [1, 4]],
    "compared": "values",
    "elements": 12,
    "rtol": 1.3e-6,
    "atol": 1e-5,
    "noise": None,
}
FOUND = {"max_abs": 2.4e-7, "max_rel": 1e-6, "histogram": {"equal": 10, "-7": 2}}
PROOF: dict[str, Any] = {
    "status": "partly",
    "samples": 2,
    "source": "export_model:samples",
    "inputs_sha256": "a" * 64,
    "data": "proof.npz",
    "versions": {"aotwin": "0.1.0", "torch": "2.13.0", "wine": "wine-8.0"},
    "outputs": [OUTPUT],
    "dlls": {
        "x86-64-v3": {"outputs": [FOUND]},
        "x86-64-v4": {"unproven": "this machine's CPU has no AVX-512"},
    },
}


def changed(place: str, value: Any) -> dict[str, Any]:
    """PROOF with another value at "outputs/0/name"."""
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
    assert proof.outputs[0].shapes == ((2, 4), (1, 4))
    (found,) = proof.dlls["x86-64-v3"].outputs
    assert found.max_abs == 2.4e-7
    assert found.histogram == {"equal": 10, "-7": 2}
    assert proof.dlls["x86-64-v4"].unproven == "this machine's CPU has no AVX-512"


@pytest.mark.parametrize(
    ("dlls", "status"),
    [
        ({"v3": {"outputs": [FOUND]}}, "proven"),
        ({"v3": {"outputs": [FOUND]}, "v4": {"unproven": "why"}}, "partly"),
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
        ("outputs", []),
        ("versions/torch", 2.13),
        ("dlls", {"x86-64-v3": []}),
        ("dlls/x86-64-v4/unproven", ""),
        ("outputs/0/shapes", [[-1]]),
        ("outputs/0/compared", "nothing"),
        ("dlls/x86-64-v3/outputs/0/max_abs", float("nan")),
        ("dlls/x86-64-v3/outputs/0/max_abs", 10**400),
        ("outputs/0/rtol", None),
        ("outputs/0/noise", "1"),
        ("dlls/x86-64-v3/outputs/0/histogram", {"<script>": 1}),
        ("dlls/x86-64-v3/outputs/0/histogram", {"-7": "many"}),
        ("outputs/0/name", "n" * 100_000),
    ],
)
def test_what_is_not_of_the_form_is_refused(place: str, value: Any) -> None:
    with pytest.raises(ProofError):
        parse_proof(changed(place, value))
