"""In which torches a DLL runs, and what becomes of a manifest that claims too much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aotwin.formats.manifest_reader import ManifestError, parse_manifest
from aotwin.stages.check.rules import CLAIM_RULES, Claim
from aotwin.stages.check.rules.policy import load_policy
from aotwin.stages.compatibility import verdicts
from aotwin.stages.compatibility.declarations import signatures_in
from aotwin.target import toolchain as toolchains
from aotwin.target.toolchain import SysrootPin, load_toolchain

TOOLCHAIN = load_toolchain("windows")
VERSIONS = TOOLCHAIN.torch_versions
EXPORTED = load_policy().for_torch("2.10.0").exports.required
PLAIN = ("aoti_torch_empty_strided", "aoti_torch_cpu_addmm_out", "__kmpc_fork_call", "exp")


def fitting(called: tuple[str, ...], built_for: str = "2.13.0") -> list[str]:
    return [each.version for each in verdicts(called, EXPORTED, built_for, TOOLCHAIN) if each]


def test_a_model_of_plain_operators_runs_in_all() -> None:
    assert fitting(PLAIN) == list(VERSIONS)


def test_a_function_that_came_later_keeps_earlier_torches_out() -> None:
    called = (*PLAIN, "aoti_torch_cpu_nonzero_static")
    assert fitting(called) == [each for each in VERSIONS if each != "2.10.0"]
    (first, *_) = verdicts(called, EXPORTED, "2.13.0", TOOLCHAIN)
    assert first.lacking == ("torch 2.10.0 has no aoti_torch_cpu_nonzero_static",)


def test_a_function_whose_signature_changed_counts_as_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = toolchains.read_pin

    def changed(path: object) -> SysrootPin:
        pin = read(path)  # type: ignore[arg-type]
        if pin.torch_version != "2.15.0":
            return pin
        return replace(pin, shims={**pin.shims, "aoti_torch_cpu_addmm_out": "00000000"})

    monkeypatch.setattr(toolchains, "read_pin", changed)
    assert fitting(PLAIN) == [each for each in VERSIONS if each != "2.15.0"]


def test_an_entry_point_that_a_runner_needs_counts() -> None:
    without = EXPORTED - {"AOTInductorModelContainerGetCallSpec"}
    for verdict in verdicts(PLAIN, without, "2.13.0", TOOLCHAIN):
        assert not verdict
        assert verdict.lacking[0].endswith("needs AOTInductorModelContainerGetCallSpec")


def test_a_claim_that_does_not_hold_is_a_finding() -> None:
    (rule,) = CLAIM_RULES
    claim = Claim("m.dll", ("2.10.0", "2.14.1", "9.9.9"), {"2.10.0": ("it has no f",)})
    (finding,) = rule.findings(claim)
    assert (finding.id, finding.found, finding.where) == ("PE-RUNS-WITH", "it has no f", "m.dll")


@pytest.mark.parametrize(
    ("declaration", "same"),
    [
        ("AOTI_TORCH_EXPORT AOTITorchError aoti_torch_f(int64_t a, const char* b);", True),
        ("AOTI_TORCH_EXPORT AOTITorchError\naoti_torch_f(int64_t, const char *text); // x", True),
        ("AOTI_TORCH_EXPORT AOTITorchError aoti_torch_f(int32_t a, const char* b);", False),
        ("AOTI_TORCH_EXPORT AOTITorchError aoti_torch_f(int64_t a, const char* b, int c);", False),
        ("AOTI_TORCH_EXPORT int64_t aoti_torch_f(int64_t a, const char* b);", False),
    ],
)
def test_names_of_arguments_are_no_part_of_a_signature(declaration: str, same: bool) -> None:
    known = signatures_in(
        "AOTI_TORCH_EXPORT AOTITorchError aoti_torch_f(int64_t first, const char* second);"
    )
    assert (signatures_in(declaration) == known) is same
    assert list(known) == ["aoti_torch_f"]


def test_a_manifest_s_list_is_read_and_must_be_one() -> None:
    import json

    from model_folder import build_files, manifest_of

    tree = json.loads(json.dumps(manifest_of(build_files())))
    tree["torch"]["runs_with"] = ["2.13.0", "2.14.1"]
    assert parse_manifest(json.dumps(tree).encode()).runs_with == ("2.13.0", "2.14.1")
    tree["torch"]["runs_with"] = [1]
    with pytest.raises(ManifestError, match="no list of versions"):
        parse_manifest(json.dumps(tree).encode())
