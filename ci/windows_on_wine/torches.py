"""Other versions of torch for the Windows Python, each in a folder of its own, for PYTHONPATH."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from aotwin.adapters.storage.cache import build_once
from aotwin.adapters.tools.index import fetch, offline_folder
from aotwin.target.toolchain import load_toolchain
from windows_on_wine.environment import cache_folder

#: what of the wheel is not needed to run a model: a third of it
_LEFT_OUT = ("torch/include/", "torch/bin/", "torch/share/", "torch/test/")


def windows_torch(version: str) -> Path:
    """The folder that holds `torch/` of a pinned version, fetched when it is first asked for.

    Args:
        version: "2.15.0".

    Raises:
        ConfigurationError: it is not pinned.
        SysrootError: its wheel cannot be had.
    """
    pinned = load_toolchain("windows").sysroot(version).torch

    def build(folder: Path) -> None:
        downloads = folder / "downloads"
        downloads.mkdir()
        wheel = fetch(pinned, downloads, local=offline_folder())
        with zipfile.ZipFile(wheel) as archive:
            members = [
                name
                for name in archive.namelist()
                if not name.startswith(_LEFT_OUT) and not name.endswith(".lib")
            ]
            archive.extractall(folder, members)
        shutil.rmtree(downloads)

    name = f"windows-torch-{version}-{pinned.sha256[:12]}"
    return build_once(cache_folder().absolute() / name, build)
