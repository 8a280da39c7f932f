"""The doctor says what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from aotwin import cli, doctor
from aotwin.doctor import Row, examine
from aotwin.target.toolchain import load_toolchain


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No zig, no Wine, and an empty cache."""
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ziglang", None)


def rows() -> dict[str, Row]:
    return {row.what: row for row in examine()}


def test_what_is_missing_comes_with_a_next_step() -> None:
    missing = [row for row in rows().values() if not row.ok]
    assert {"zig", "Wine", "osslsigncode", "sysroot windows-x86_64"} <= {
        row.what for row in missing
    }
    assert all(row.next_step for row in missing)


def test_without_wine_it_says_what_does_not_work() -> None:
    assert rows()["Wine"].found == "not installed: check=wine and aotwin run do not work"


def test_only_what_every_build_needs_is_a_failure() -> None:
    assert [row.what for row in rows().values() if row.required and not row.ok] == ["zig"]


def test_it_names_the_torch_versions_that_can_be_built_for() -> None:
    versions = load_toolchain("windows").torch_versions
    assert rows()["builds for windows-x86_64"].found == f"models of torch {', '.join(versions)}"


def test_a_torch_that_nothing_can_be_built_with_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1.0.0+cpu")
    assert not rows()["torch"].ok
    assert rows()["torch"].found == "1.0.0+cpu, which no sysroot is pinned for"


def test_a_sysroot_of_the_cache_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "sysroots" / "torch-2.13.0-windows-x86_64-abc-2"
    folder.mkdir(parents=True)
    assert rows()["sysroot windows-x86_64"].found == folder.name


def test_the_command_fails_with_a_missing_tool_and_prints_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == 1
    assert {row["what"] for row in report["checks"]} == set(rows())
    assert cli.main(["doctor"]) == 1
    assert "NO  zig" in capsys.readouterr().out


def test_the_command_passes_where_only_extras_are_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "_zig", lambda: Row("zig", True, "0.17.1"))
    assert cli.main(["doctor"]) == 0
    assert "NO  Wine" in capsys.readouterr().out
