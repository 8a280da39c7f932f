"""A wheel of aotwin itself holds everything that a build from the checkout uses."""

from __future__ import annotations

import zipfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def _files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not any(part.endswith(".egg-info") for part in path.parts)
    }


def test_it_holds_all_of_the_package_and_of_toolchains(checkout_wheel: Path) -> None:
    names = {
        name for name in zipfile.ZipFile(checkout_wheel).namelist() if ".dist-info/" not in name
    }
    package = {f"aotwin/{name}" for name in _files_below(REPO / "plugin" / "aotwin")}
    data = {f"aotwin/toolchains/{name}" for name in _files_below(REPO / "toolchains")}
    assert "aotwin/toolchains/windows/dll/aotwin_blob.h" in data
    assert names == package | data


def test_setuptools_warns_of_no_package_that_would_be_left_out(checkout_wheel: Path) -> None:
    assert "is absent from the `packages`" not in checkout_wheel.with_name("log.txt").read_text()
