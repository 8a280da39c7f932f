"""Wine: Windows programs on Linux, in a private prefix in the user cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.cache import build_once, cache_dir
from aotwin.adapters.process import run
from aotwin.errors import ToolError

#: where distributions put Wine's programs when they are not on PATH
_FOLDERS = ("/usr/lib/wine", "/opt/wine-stable/bin")
#: host variables that mean something else to a Windows program, or would make runs differ
_DROPPED_PREFIXES = ("PYTHON", "PIP_", "WINE", "LC_")
_DROPPED = frozenset(
    {"LANG", "LANGUAGE", "DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV", "LD_PRELOAD"}
)
_FIXED: Mapping[str, str] = {
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    # No .NET, no HTML, no desktop menu entries, and no debugger that waits behind a crash.
    "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe,winedbg.exe=",
    # Wine spells file names in the locale's character set; only UTF-8 has all of them.
    "LC_ALL": "C.UTF-8",
    # Wine lacks GetNumaNodeProcessorMaskEx, with which OpenMP asks for the machine's shape.
    "KMP_TOPOLOGY_METHOD": "flat",
    # Linux lets a process use AMX only after a system call that no Windows program makes.
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16",
}
#: a Windows path cannot hold these; a Linux path can
_NOT_IN_WINDOWS_NAMES = frozenset('<>:"|?*\\')


@dataclass(frozen=True)
class Wine:
    """A Wine that is ready: its loader, and a prefix of our own."""

    loader: Path
    prefix: Path


def ready_wine() -> Wine:
    """The machine's Wine with its private prefix, made where it is not there yet (seconds).

    Raises:
        ToolError: Wine is not installed, or cannot set up its Windows folder.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
    loader = shutil.which("wine", path=path) or shutil.which("wine64", path=path)
    server = shutil.which("wineserver", path=path) or shutil.which("wineserver64", path=path)
    if loader is None or server is None:
        raise ToolError(
            "Wine is not installed",
            cause="neither wine nor wine64 is on PATH" if loader is None else "no wineserver",
            next_step="Install the package wine64 (Debian, Ubuntu) or wine of your distribution.",
        )
    version = run([loader, "--version"], tool="Wine", env={"WINEDEBUG": "-all"}).stdout.strip()
    key = hashlib.sha256(f"{loader}\0{version}".encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        _make_prefix(Wine(Path(loader), folder), Path(server))

    return Wine(Path(loader), build_once(cache_dir() / "runtime" / f"wine-{key}", build))


def _make_prefix(wine: Wine, server: Path) -> None:
    environment = program_environment(os.environ, wine, {})
    # Torch refuses what calls itself an older Windows; Wine 8 does by default.
    version = ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]
    for command in (["wineboot", "--init"], version):
        done = _quietly([str(wine.loader), *command], environment)
        if done != 0:
            raise ToolError(
                "Wine cannot set up its Windows folder",
                cause=f"wine {command[0]} failed with exit code {done}",
                next_step="Run WINEPREFIX=/tmp/prefix wine wineboot --init by hand to see why.",
            )
    # The registry is on disk only when the server has ended.
    _quietly([str(server), "-w"], environment)


def _quietly(command: Sequence[str], environment: Mapping[str, str]) -> int:
    # Not `process.run`: Wine's services keep the pipes open long after the program has ended.
    return subprocess.run(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        check=False,
    ).returncode


def program_environment(
    host: Mapping[str, str], wine: Wine, extra: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a Windows program: the host's, cleaned, then ours, then the caller's."""
    kept = {
        name: value
        for name, value in host.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    return {**kept, **_FIXED, "WINEPREFIX": str(wine.prefix), **extra}


def windows_path(path: Path) -> str:
    r"""The Windows spelling of a Linux path: /a/b is Z:\a\b.

    Raises:
        ToolError: the path holds a character that no Windows path can have.
    """
    absolute = str(path.absolute())
    if bad := _NOT_IN_WINDOWS_NAMES.intersection(absolute):
        raise ToolError(
            f"{absolute} has no name on Windows",
            cause=f"it contains {' '.join(sorted(bad))}",
            next_step="Use a path without these characters.",
        )
    return "Z:" + absolute.replace("/", "\\")


def linux_path(spelled: str) -> str:
    r"""What `windows_path` was made from: Z:\a\b is /a/b; anything else stays as it is."""
    return spelled[2:].replace("\\", "/") if spelled.startswith("Z:\\") else spelled


def run_windows_program(
    wine: Wine, program: Path, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run a Windows program to its end: no stdin, pipes, UTF-8.

    Returns:
        The finished process, whatever its exit code. Linux keeps 8 bits of a Windows exit code.

    Raises:
        ToolError: it cannot be started.
    """
    # A server that a short-lived program starts would keep stderr open for seconds after it: it is
    # started before, with no pipe to keep.
    environment = program_environment(os.environ, wine, {})
    _quietly([str(wine.loader), "cmd", "/c", "exit"], environment)
    try:
        return subprocess.run(
            [str(wine.loader), windows_path(program), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            check=False,
        )
    except OSError as error:
        raise ToolError(
            f"{wine.loader} cannot be started",
            cause=str(error),
            next_step="Reinstall the package wine of your distribution.",
        ) from error
