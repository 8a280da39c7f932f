"""Puts an environment together in a folder: Wine prefix, CPython with torch and without."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from aotwin.adapters.tools.wine import Wine, make_prefix, windows_path
from aotwin.errors import ToolError
from windows_on_wine.downloads import fetch_sdist, fetch_wheels, run_pip, unpack_command
from windows_on_wine.pins import FOLDER, Package, Pins, PythonPin, RuntimePin
from windows_on_wine.wine import Session

#: The parts of an environment, relative to its folder.
PREFIX = Path("prefix")
PYTHON = Path("python")
PYTHON_WITHOUT_TORCH = Path("python-without-torch")
#: relative to a Python's folder
SITE_PACKAGES = Path("Lib") / "site-packages"
ML_DTYPES = Path("ml_dtypes")

#: Import everything once: it proves the environment, and leaves the byte code for later runs.
FIRST_IMPORT = """
import numpy, pip, sys, tokenizers, torch
print(sys.version.split()[0], torch.__version__.partition("+")[0])
torch._C._aoti.AOTIModelContainerRunnerCpu
"""
FIRST_IMPORT_WITHOUT_TORCH = """
import importlib.util, numpy, pip, sys, tokenizers
print(sys.version.split()[0], importlib.util.find_spec("torch"))
"""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say on stderr what was done and how long it took."""
    start = time.monotonic()
    yield
    print(f"· {what}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)


def build(folder: Path, pins: Pins, wine: Wine) -> None:
    """Build the environment in the empty `folder`; needs the package index.

    Raises:
        ToolError: a download, Wine or zig failed.
    """
    work = folder / "work"
    work.mkdir()
    python = folder / PYTHON
    session = Session(wine, folder / PREFIX)
    with step(f"Wine prefix ({wine.version()})"):
        make_prefix(wine, session.prefix)
    try:
        with step(f"Windows CPython {pins.python.version}"):
            unpack_python(fetch_sdist(pins.python.package, work / "sdist"), python, pins.python)
            link_bcryptprimitives(python / "bcryptprimitives.dll", work)
            # Before the VC++ run time: nobody whom torch did not ask for it has it.
            shutil.copytree(python, folder / PYTHON_WITHOUT_TORCH, copy_function=os.link)
        packages = [*pins.wheels, pins.ml_dtypes, pins.runtime.package]
        with step(f"download of {len(packages)} Windows wheels"):
            wheels = fetch_wheels(packages, work / "wheels", pins.python.minor)
        with step("installation"):
            install(wheels, folder, pins)
        torch = next(wheel.version for wheel in pins.wheels if wheel.name == "torch")
        with step("first import of torch"):
            first_import(session, python, FIRST_IMPORT, [pins.python.version, torch])
        with step("first import without torch"):
            first_import(
                session,
                folder / PYTHON_WITHOUT_TORCH,
                FIRST_IMPORT_WITHOUT_TORCH,
                [pins.python.version, "None"],
            )
    finally:
        session.close()
    shutil.rmtree(work)


def unpack_python(sdist: Path, target: Path, pin: PythonPin) -> None:
    """Take CPython's files out of the archive within the source distribution."""
    top = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as tar:
        member = tar.extractfile(f"{top}/{pin.archive}")
        assert member is not None, f"{pin.archive} is no file: pins.toml is wrong"
        archive = member.read()
    target.mkdir()
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        unpack_folder(files, pin.folder, target)
    # With this file, python.exe ignores PYTHONPATH and site-packages: it is for embedding.
    next(target.glob("python*._pth")).unlink()


def unpack_folder(archive: zipfile.ZipFile, folder: str, target: Path) -> None:
    """Write the files directly in `folder` of `archive` into `target`, over what is there."""
    for info in archive.infolist():
        path = PurePosixPath(info.filename)
        if not info.is_dir() and path.parent == PurePosixPath(folder):
            (target / path.name).write_bytes(archive.read(info))


def bcryptprimitives_command(source: Path, output: Path) -> list[str]:
    """zig's command that compiles and links the DLL, without any C run time."""
    return [
        *(sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-windows-gnu"),
        *("-O2", "-s", "-shared", "-nostdlib"),
        *(str(source), "-ladvapi32", "-o", str(output)),
    ]


def link_bcryptprimitives(output: Path, work: Path) -> None:
    """Make the system DLL that Wine 8 lacks (see bcryptprimitives.c)."""
    built = work / output.name
    command = bcryptprimitives_command(FOLDER / "bcryptprimitives.c", built)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ToolError(
            f"zig could not make {output.name}",
            cause=done.stderr.strip()[-2000:],
            next_step="Install ziglang of ci/requirements.txt into this Python.",
        )
    built.rename(output)


def install(wheels: Sequence[Path], folder: Path, pins: Pins) -> None:
    """Unpack the wheels for each Python, and torch's run-time DLLs beside its python.exe."""

    def of(packages: Sequence[Package]) -> list[Path]:
        names = {package.name.replace("-", "_") for package in packages}
        return [wheel for wheel in wheels if wheel.name.partition("-")[0] in names]

    for packages, target in (
        (pins.wheels, folder / PYTHON / SITE_PACKAGES),
        (pins.without_torch, folder / PYTHON_WITHOUT_TORCH / SITE_PACKAGES),
        ((pins.ml_dtypes,), folder / ML_DTYPES),
    ):
        command = unpack_command(of(packages), target, pins.python.minor)
        run_pip(command, "unpack the wheels for Windows")
        # pip writes its launchers for the machine it runs on.
        shutil.rmtree(target / "bin", ignore_errors=True)
    install_runtime(of([pins.runtime.package])[0], folder / PYTHON, pins.runtime)


def install_runtime(wheel: Path, target: Path, pin: RuntimePin) -> None:
    """Put the VC++ run-time DLLs into `target`."""
    with zipfile.ZipFile(wheel) as archive:
        unpack_folder(archive, pin.folder, target)


def first_import(session: Session, python: Path, program: str, expected: Sequence[str]) -> None:
    """Import all that was installed, on Windows, and compare what it says with the pins."""
    done = session.run([windows_path(python / "python.exe"), "-c", program])
    if done.stdout.split() != list(expected):
        raise ToolError(
            "the Windows Python is not the one that was asked for",
            cause=f"it says {done.stdout.strip()!r}, pins.toml {', '.join(expected)}",
            next_step="Correct ci/windows_on_wine/pins.toml.",
        )
