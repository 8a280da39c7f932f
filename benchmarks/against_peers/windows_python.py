"""A Windows Python that has the peers, beside those of ci/windows_on_wine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import tomllib

from aotwin.adapters.tools.wine import windows_path
from windows_on_wine import WindowsPython
from windows_on_wine.build import PYTHON, PYTHON_WITHOUT_TORCH, SITE_PACKAGES
from windows_on_wine.downloads import fetch_wheels, run_pip, unpack_command
from windows_on_wine.environment import locked
from windows_on_wine.pins import Package

PINS = Path(__file__).with_name("pins.toml")
#: of Windows' CPython
_MINOR = "3.11"
#: the peers want the C++ run time, which comes with Windows programs, if not with Windows
_CXX_RUN_TIME = "msvcp140*.dll"

#: Wine takes its own C++ run time before the one beside python.exe; and where ONNX Runtime looks
#: for graphics cards, there is no screen to ask
ON_WINE = {
    "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe,winedbg.exe="
    ";msvcp140,msvcp140_1,msvcp140_2,vcruntime140,vcruntime140_1=n,b",
    "WINE_D3D_CONFIG": "renderer=no3d,csmt=0",
}


def peers_python(windows: WindowsPython) -> Path:
    """The folder of a Windows Python with the pinned peers, made once per machine."""
    digest = hashlib.sha256(PINS.read_bytes() + windows.home.name.encode()).hexdigest()[:12]
    home = windows.home.parent / f"windows-peers-{digest}"
    with locked(home.with_suffix(".lock")):
        if not home.is_dir():
            unfinished = home.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            _make(unfinished, windows)
            unfinished.rename(home)
    return home / PYTHON


def _make(home: Path, windows: WindowsPython) -> None:
    rows = tomllib.loads(PINS.read_text(encoding="utf-8"))["wheel"]
    packages = [Package(row["requirement"], row["sha256"]) for row in rows]
    python = home / PYTHON
    shutil.copytree(windows.home / PYTHON_WITHOUT_TORCH, python, copy_function=os.link)
    for dll in (windows.home / PYTHON).glob(_CXX_RUN_TIME):
        os.link(dll, python / dll.name)
    wheels = fetch_wheels(packages, home / "wheels", _MINOR)
    run_pip(unpack_command(wheels, home / "peers", _MINOR), "unpack the peers for Windows")
    shutil.rmtree(home / "wheels")
    for entry in (home / "peers").iterdir():
        if not (python / SITE_PACKAGES / entry.name).exists():
            entry.rename(python / SITE_PACKAGES / entry.name)
    shutil.rmtree(home / "peers")


def run(
    windows: WindowsPython,
    python: Path,
    arguments: Sequence[str],
    env: Mapping[str, str],
    timeout: float,
) -> None:
    """Run the Python of a folder.

    What a program starts in its turn (Wine's desktop, for one) keeps the pipes open long after it
    has ended: so nobody waits for the end of what comes through them.

    Raises:
        RuntimeError: it failed, or took longer than `timeout` seconds.
    """
    windows.session.start()
    process = subprocess.Popen(
        [str(windows.session.wine.loader), windows_path(python / "python.exe"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=windows.session.environment(env),
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        said.append(f"ended after {timeout:.0f} s")
    if process.returncode:
        reader.join(1)
        raise RuntimeError("".join(said)[-3000:])
