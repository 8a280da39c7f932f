"""Pinned sysroots: aotwin's own, and a user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from aotwin.errors import ConfigurationError, UsageError
from aotwin.stages.pin import render_pin, required_version
from aotwin.target.toolchain import load_toolchain, read_pin

TOOLCHAIN = load_toolchain("windows")


def test_every_minor_version_since_2_10_is_pinned() -> None:
    minors = [tuple(map(int, each.split(".")[:2])) for each in TOOLCHAIN.torch_versions]
    assert minors == [(2, minor) for minor in range(10, 10 + len(minors))]
    assert minors[-1] >= (2, 15)


@pytest.mark.parametrize("version", TOOLCHAIN.torch_versions)
def test_a_pin_is_what_the_command_writes(version: str) -> None:
    path = TOOLCHAIN.sysroots[version]
    pin = read_pin(path)
    assert pin.torch_version == version
    assert pin.torch.requirement == f"torch=={version}"
    assert render_pin(pin) == path.read_text(encoding="utf-8")
    assert {"aoti_torch_empty_strided", "aoti_torch_cpu_addmm_out"} <= pin.shims.keys()
    assert "AOTInductorModelContainerRun" in pin.runner


def test_a_user_s_own_folder_adds_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TOOLCHAIN.sysroots["2.12.1"].read_text(encoding="utf-8").replace("2.12.1", "2.12.2")
    (tmp_path / "torch-2.12.2-windows-x86_64.toml").write_text(text, encoding="utf-8")
    assert "2.12.2" not in TOOLCHAIN.torch_versions
    monkeypatch.setenv("AOTWIN_SYSROOTS", str(tmp_path))
    assert TOOLCHAIN.sysroot("2.12.2").torch.requirement == "torch==2.12.2"
    assert TOOLCHAIN.torch_versions.index("2.12.2") == TOOLCHAIN.torch_versions.index("2.12.1") + 1


def test_a_folder_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_SYSROOTS", str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="which is no folder"):
        _ = TOOLCHAIN.torch_versions


def test_a_broken_pin_is_said(tmp_path: Path) -> None:
    path = tmp_path / "torch-2.99.0-windows-x86_64.toml"
    path.write_text('torch_version = "2.99.0"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is no pinned sysroot"):
        read_pin(path)


@pytest.mark.parametrize("text", ["torch", "torch>=2.10", "numpy==2.0", "2.15.0", "torch==2,<3"])
def test_one_version_of_torch_is_pinned_at_a_time(text: str) -> None:
    assert required_version("torch==2.15.0") == "2.15.0"
    with pytest.raises(UsageError, match="names no version of torch"):
        required_version(text)
