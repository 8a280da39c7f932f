"""The finished environment, and how a program gets hold of it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs

from aotwin.adapters.tools import wine as wine_adapter
from aotwin.adapters.tools.wine import Wine, find_wine, windows_path
from aotwin.errors import StorageError
from windows_on_wine.build import (
    ML_DTYPES,
    PREFIX,
    PYTHON,
    PYTHON_WITHOUT_TORCH,
    SITE_PACKAGES,
    build,
)
from windows_on_wine.pins import FOLDER, load_pins
from windows_on_wine.wine import Session

#: What an environment depends on, besides Wine and aotwin's adapter for it, which makes the prefix:
#: its name in the cache changes with them.
SOURCES = ("pins.toml", "bcryptprimitives.c", "build.py", "downloads.py")

Argument = str | os.PathLike[str]


@dataclass(frozen=True)
class WindowsPython:
    """A Windows CPython with numpy and tokenizers, with or without torch, run by Wine."""

    #: folder of the environment in the cache
    home: Path
    session: Session = field(repr=False, compare=False)
    has_torch: bool = True

    @property
    def without_torch(self) -> WindowsPython:
        """The other Python of the environment, which has never seen torch nor its VC++ run time."""
        return replace(self, has_torch=False)

    @property
    def folder(self) -> Path:
        """Where python.exe is."""
        return self.home / (PYTHON if self.has_torch else PYTHON_WITHOUT_TORCH)

    @property
    def executable(self) -> Path:
        """python.exe."""
        return self.folder / "python.exe"

    @property
    def site_packages(self) -> Path:
        """Where the wheels of pins.toml are."""
        return self.folder / SITE_PACKAGES

    @property
    def ml_dtypes(self) -> Path:
        """A folder for `pythonpath`, in which the package ml_dtypes is."""
        return self.home / ML_DTYPES

    @property
    def torch_lib(self) -> Path:
        """The folder of torch_cpu.dll, c10.dll and libiomp5md.dll."""
        assert self.has_torch
        return self.site_packages / "torch" / "lib"

    def path(self, path: Path) -> str:
        r"""The Windows spelling of a Linux path: /a/b is Z:\a\b."""
        return windows_path(path)

    def python(
        self,
        args: Sequence[Argument],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pythonpath: Sequence[Path] = (),
        timeout: float | None = 600,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run python.exe.

        Args:
            args: its arguments; those that are paths (not str) are spelled for Windows.
            cwd: working folder, a Linux path.
            env: variables on top of the environment's own.
            pythonpath: Linux folders for PYTHONPATH.
            timeout: seconds.
            check: raise where the exit code is not 0.

        Returns:
            The finished process with its text. Linux keeps 8 bits of a Windows exit code.

        Raises:
            ToolError: too slow, or failed with `check`.
        """
        return self.session.run(
            [windows_path(self.executable), *map(spelled, args)],
            cwd=cwd,
            env={**python_path(pythonpath), **(env or {})},
            timeout=timeout,
            check=check,
        )

    def install(
        self, wheels: Sequence[Path], target: Path, *, timeout: float | None = 600
    ) -> subprocess.CompletedProcess[str]:
        """Install wheels into the folder `target` with the Windows Python's own pip.

        Raises:
            ToolError: pip refuses a wheel.
        """
        options = ["--no-deps", "--no-index", "--no-warn-script-location"]
        pip = ["-m", "pip", "--isolated", "--disable-pip-version-check", "--no-input", "install"]
        return self.python([*pip, *options, "--target", target, *wheels], timeout=timeout)

    def exe(
        self,
        program: Path,
        args: Sequence[Argument] = (),
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 600,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run any Windows program; its PATH has the folder of Python, and that of torch's DLLs.

        Arguments, result and errors are those of `python`.
        """
        folders = [*([self.torch_lib] if self.has_torch else []), self.folder]
        return self.session.run(
            [windows_path(program), *map(spelled, args)],
            cwd=cwd,
            env={"WINEPATH": ";".join(map(windows_path, folders)), **(env or {})},
            timeout=timeout,
            check=check,
        )


def spelled(argument: Argument) -> str:
    """An argument for a Windows program: text as it is, a path in Windows' spelling."""
    return argument if isinstance(argument, str) else windows_path(Path(argument))


def python_path(folders: Sequence[Path]) -> dict[str, str]:
    """PYTHONPATH for Windows, or nothing."""
    return {"PYTHONPATH": ";".join(map(windows_path, folders))} if folders else {}


def cache_folder() -> Path:
    """`$AOTWIN_CI_CACHE`, or aotwin-ci in the user's cache."""
    named = os.environ.get("AOTWIN_CI_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("aotwin-ci")


def environment_name(wine_version: str, sources: Mapping[str, bytes]) -> str:
    """The folder's name in the cache: another Wine or other sources, another environment."""
    digest = hashlib.sha256(wine_version.encode())
    for name in sorted(sources):
        digest.update(f"\0{name}\0{len(sources[name])}\0".encode() + sources[name])
    return f"windows-on-wine-{digest.hexdigest()[:16]}"


def ensure() -> WindowsPython:
    """The environment of this machine, built where it is not there yet (about a minute).

    Raises:
        ToolError: Wine is not installed, or a download or a tool failed.
        StorageError: no room, or the cache cannot be written.
    """
    wine = find_wine()
    files = [*(FOLDER / name for name in SOURCES), Path(wine_adapter.__file__)]
    sources = {file.name: file.read_bytes() for file in files}
    home = cache_folder().absolute() / environment_name(wine.version(), sources)
    if not home.is_dir():
        try:
            build_once(home, wine)
        except OSError as error:
            full = error.errno == errno.ENOSPC
            raise StorageError(
                f"the Windows environment cannot be written to {home.parent}",
                cause="the disk is full" if full else str(error),
                next_step="Make room (2 GB), or set AOTWIN_CI_CACHE to another folder.",
            ) from error
    return WindowsPython(home, Session(wine, home / PREFIX))


def build_once(home: Path, wine: Wine) -> None:
    """Build `home`; of several processes that want it, one builds and the others wait."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with locked(home.with_suffix(".lock")):
        if home.is_dir():
            return
        print(
            "· building the Windows-on-Wine environment once for this machine"
            " (150 MB to download, 1 to 3 minutes)",
            file=sys.stderr,
            flush=True,
        )
        unfinished = home.with_suffix(".unfinished")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        try:
            build(unfinished, load_pins(), wine)
            unfinished.rename(home)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold an exclusive lock on `file`; the kernel lets go of it when the process ends."""
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("· waiting for another process that builds it", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
