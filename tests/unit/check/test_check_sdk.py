"""The SDK in a model's package passes as it was built, and whatever was done to it is named."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from model_folder import (
    HOME,
    INFO,
    build_files,
    build_files_with_sdk,
    build_sdk_library,
    build_sdk_program,
    manifest_of,
    sha256,
    wheel_members,
    write_model,
    write_wheel,
)
from test_check_model import found, quick_reader

import aotwin.payload.__main__
from aotwin.errors import CheckError, ConfigurationError
from aotwin.stages.check import dll as check
from aotwin.stages.check.gate import require_sound_sdk
from aotwin.stages.check.paths import check_path
from aotwin.stages.check.rules.policy import load_policy, load_sdk_policies, parse_sdk_policies
from aotwin.stages.check.rules.sdk_rules import SDK_RULES
from aotwin.stages.pack.sbom import SBOM_PATH
from aotwin.target.toolchain import load_toolchain, toolchain_path

__all__ = ["quick_reader"]

LIBRARY, PROGRAM = "sdk/bin/aotwin.dll", "sdk/bin/aotwin-run.exe"
HEADER = "sdk/include/aotwin.h"
Files = dict[str, bytes]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "site-packages/demo/classifier", build_files_with_sdk())


def test_an_sdk_as_it_was_built_passes(folder: Path, tmp_path: Path) -> None:
    assert check_path(folder, None).findings == ()
    wheel = write_wheel(tmp_path, wheel_members(build_files_with_sdk()))
    assert check_path(wheel, None, full=True).findings == ()


#: rules that must be broken, case, files; what is not said of them is the build's
CHANGED: list[tuple[set[str], str, Callable[[Files], Files]]] = [
    ({"SDK-FILES"}, "header", lambda files: {**files, HEADER: b"#define AOTWIN_H 2\n"}),
    ({"SDK-FILES"}, "header-gone", lambda files: without(files, HEADER)),
    ({"SDK-FILES"}, "library-gone", lambda files: without(files, LIBRARY)),
    ({"SDK-FILES"}, "foreign-dll", lambda files: {**files, "sdk/bin/version.dll": b"MZ"}),
    ({"SDK-FILES"}, "foreign-text", lambda files: {**files, "sdk/share/notes.txt": b""}),
    ({"PE-SEAL"}, "other-library", lambda files: {
        **files, LIBRARY: build_sdk_library(imports={"KERNEL32.dll": ("CloseHandle",)}),
    }),
    ({"PE-SEAL", "PE-CHECKSUM", "PE-OVERLAY"}, "appended", lambda files: {
        **files, PROGRAM: files[PROGRAM] + bytes(64),
    }),
    ({"PE-SEAL", "PE-READ"}, "stub", lambda files: {**files, PROGRAM: b""}),
]  # fmt: skip


def without(files: Files, name: str) -> Files:
    return {key: value for key, value in files.items() if key != name}


@pytest.mark.parametrize(
    ("rules", "change"), [pytest.param(rules, change, id=case) for rules, case, change in CHANGED]
)
def test_what_was_done_to_an_sdk_after_the_build_is_named(
    tmp_path: Path, rules: set[str], change: Callable[[Files], Files]
) -> None:
    files = build_files_with_sdk()
    report = check_path(write_model(tmp_path, change(files), manifest_of(files)), None)
    assert found(report) == rules
    assert all("sdk/" in finding.where for finding in report.findings)


#: rules that must be broken, case, a program's place and what is there, sealed as it is
SEALED: list[tuple[set[str], str, str, Callable[[], bytes]]] = [
    ({"SDK-PROGRAMS"}, "foreign-dll", "sdk/bin/version.dll", build_sdk_library),
    ({"SDK-PROGRAMS"}, "foreign-exe", "sdk/tools/Setup.EXE", build_sdk_program),
    ({"SDK-PROGRAMS"}, "foreign-file-in-bin", "sdk/bin/version", build_sdk_library),
    ({"PE-IMPORT-DLL"}, "library-of-torch", LIBRARY, lambda: build_sdk_library(
        imports={"torch_cpu.dll": ("aoti_torch_get_dim",)}
    )),
    ({"PE-EXPORT-MISSING", "PE-EXPORT-EXTRA", "PE-IMPORT-DLL"}, "a-model", LIBRARY, lambda: (
        build_files()["classifier.dll"]
    )),
    ({"PE-IMPORT-SYSTEM"}, "program-of-another-api", PROGRAM, lambda: build_sdk_program(
        imports={"aotwin.dll": ("aotwin_fly",)}
    )),
    ({"PE-CHARACTERISTICS", "PE-EXPORT-EXTRA"}, "program-that-is-a-dll", PROGRAM, (
        build_sdk_library
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "name", "build"),
    [pytest.param(rules, name, build, id=case) for rules, case, name, build in SEALED],
)
def test_a_seal_makes_no_foreign_program_pass(
    tmp_path: Path, rules: set[str], name: str, build: Callable[[], bytes]
) -> None:
    files = {**build_files_with_sdk(), name: build()}
    assert found(check_path(write_model(tmp_path, files), None)) == rules


def test_every_rule_on_an_sdk_is_broken_by_some_test() -> None:
    broken = set().union(*(rules for rules, *_ in (*CHANGED, *SEALED)))
    assert {rule.id for rule in SDK_RULES} <= broken


@pytest.mark.parametrize("name", [LIBRARY, PROGRAM])
def test_a_program_of_an_sdk_that_is_named_by_itself_is_not_taken_for_a_model(
    folder: Path, tmp_path: Path, name: str
) -> None:
    report = check_path(folder / name, None)
    assert report.findings == ()
    assert report.skipped == ()
    moved = (folder / name).rename(tmp_path / (folder / name).name)
    report = check_path(moved, None)
    assert report.findings == ()
    assert [each.id for each in report.skipped] == ["PE-SEAL"]


def test_a_program_of_an_sdk_that_is_named_by_itself_is_held_to_its_seal(folder: Path) -> None:
    (folder / LIBRARY).write_bytes(build_sdk_library(empty_sections=1))
    assert found(check_path(folder / LIBRARY, None)) == {"PE-SEAL"}


def test_a_model_of_the_same_name_as_the_sdks_library_is_a_model(tmp_path: Path) -> None:
    files = build_files()
    manifest = manifest_of(files)
    manifest["dlls"][0]["file"] = "aotwin.dll"
    files["aotwin.dll"] = files.pop("classifier.dll")
    report = check_path(write_model(tmp_path, files, manifest) / "aotwin.dll", None)
    assert report.findings == ()


def test_a_link_in_an_sdk_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / HEADER).rename(tmp_path / "aotwin.h")
    (folder / HEADER).symlink_to(tmp_path / "aotwin.h")
    (finding,) = check_path(folder, None).findings
    assert (finding.id, finding.found) == ("SDK-FILES", "a symbolic link")


def test_without_an_sdk_a_program_that_would_be_started_is_found(tmp_path: Path) -> None:
    files = build_files()
    (tmp_path / "sdk/bin").mkdir(parents=True)
    (tmp_path / "sdk/notes.txt").touch()
    write_model(tmp_path, files)
    assert check_path(tmp_path, None)
    (tmp_path / PROGRAM).write_bytes(build_sdk_program())
    assert found(check_path(tmp_path, None)) == {"SDK-FILES"}


def sdk_with(row: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["sdk"].update(row)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda manifest: manifest.update(sdk=[]), id="list"),
        pytest.param(sdk_with({"sdk/../../evil.dll": "0" * 64}), id="climbing"),
        pytest.param(sdk_with({"/sdk/evil.dll": "0" * 64}), id="absolute"),
        pytest.param(sdk_with({"bin/aotwin.dll": "0" * 64}), id="elsewhere"),
        pytest.param(sdk_with({"sdk/BIN/aotwin.dll": "0" * 64}), id="case"),
        pytest.param(sdk_with({"sdk/nul": "0" * 64}), id="device"),
        pytest.param(sdk_with({"sdk/a": "0"}), id="no-digest"),
        pytest.param(sdk_with({f"sdk/{n}": "0" * 64 for n in range(1001)}), id="many"),
    ],
)
def test_a_manifest_that_names_what_cannot_be_an_sdk_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    files = build_files_with_sdk()
    manifest = manifest_of(files)
    change(manifest)
    assert found(check_path(write_model(tmp_path, files, manifest), None)) == {"MODEL-MANIFEST"}


def test_a_wheel_whose_bill_does_not_list_a_program_is_found(tmp_path: Path) -> None:
    members = wheel_members(build_files_with_sdk())
    digest = sha256(members[HOME + LIBRARY]).encode()
    bill = f"{INFO}/{SBOM_PATH}"
    members[bill] = members[bill].replace(digest, b"0" * 64)
    (finding,) = check_path(write_wheel(tmp_path, members), None).findings
    assert finding.id == "WHEEL-SBOM"
    assert LIBRARY in finding.where


# --- the package's own check ------------------------------------------------------------------


def own_check(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-E", "-S", "-m", "demo.classifier", "--check"],
        cwd=folder.parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_package_checks_its_sdk_too(folder: Path) -> None:
    main = Path(aotwin.payload.__main__.__file__).read_bytes()
    write_model(folder, {**build_files_with_sdk(), "__main__.py": main})
    assert own_check(folder).returncode == 0
    (folder / HEADER).write_bytes(b"")
    done = own_check(folder)
    assert done.returncode == 1
    assert done.stdout.startswith("sdk/include/aotwin.h: changed")


# --- in the build -----------------------------------------------------------------------------


@pytest.fixture
def built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    from test_check_model import read_in_process

    monkeypatch.setattr(check, "read_with_all", read_in_process)
    sdk = folder / "sdk"
    return sdk, {
        path.relative_to(sdk).as_posix(): sha256(path.read_bytes())
        for path in sdk.rglob("*")
        if path.is_file()
    }


def test_a_sound_sdk_leaves_the_build(built: tuple[Path, dict[str, str]]) -> None:
    require_sound_sdk(*built, load_toolchain("windows"))


def test_an_sdk_that_changed_does_not_leave_the_build(built: tuple[Path, dict[str, str]]) -> None:
    sdk, digests = built
    (sdk / "bin/aotwin.dll").write_bytes(build_sdk_library(empty_sections=1))
    with pytest.raises(CheckError, match=re.escape("aotwin.dll fails the check: PE-SEAL")):
        require_sound_sdk(sdk, digests, load_toolchain("windows"))


# --- the policy -------------------------------------------------------------------------------


def test_the_library_must_export_what_its_header_declares() -> None:
    header = toolchain_path("windows/sdk/include/aotwin.h").read_text(encoding="utf-8")
    declared = re.findall(r"^AOTWIN_API [^;(]*?(aotwin_\w+)\(", header, re.MULTILINE)
    assert load_sdk_policies()["aotwin.dll"].exports.required == set(declared)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        ({"is_dll": True, "exports": [], "imports": []}, "no export is required"),
        ({"is_dll": False, "exports": ["aotwin_open"], "imports": []}, "a program exports"),
        ({"is_dll": False, "exports": [], "imports": ["gone.dll"]}, "sdk: KeyError: 'gone.dll'"),
        ({"exports": [], "imports": []}, "sdk: KeyError: 'is_dll'"),
    ],
    ids=["library-without-exports", "program-with-exports", "unknown-import", "no-kind"],
)
def test_data_on_the_sdk_that_contradicts_itself_is_refused(
    row: dict[str, Any], cause: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_sdk_policies(load_policy(), {"sdk": {"aotwin.exe": row}})
    assert caught.value.cause == cause


def test_only_a_model_needs_torch() -> None:
    policy = load_policy()
    with pytest.raises(ConfigurationError, match="contradicts itself"):
        replace(policy, imports=load_sdk_policies()["aotwin.dll"].imports)
