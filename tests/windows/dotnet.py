"""A .NET run time for Windows, and programs in C# compiled for it by Mono's compiler on Linux."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from aotwin.adapters.storage.cache import build_once
from aotwin.adapters.tools.index import fetch
from aotwin.target.toolchain import PinnedFile
from windows_on_wine import WindowsPython
from windows_on_wine.environment import cache_folder

VERSION = "3.1.23"
#: a package that brings .NET Core's run time: dotnet.exe, host/ and shared/
RUNTIME = PinnedFile(
    requirement=f"dotnetcore2=={VERSION}",
    filename=f"dotnetcore2-{VERSION}-py3-none-win_amd64.whl",
    sha256="e2528813677d7a080522336cb530442408d1e2aea76fa8657018fb532c03c252",
    nbytes=31749585,
    platform="win_amd64",
    python_version="3.11",
    abi="cp311",
)
_FOLDER = "dotnetcore2/bin/"
_REFERENCES = ("System.Private.CoreLib", "System.Runtime", "System.Console",
               "System.Runtime.InteropServices")  # fmt: skip


@dataclass(frozen=True)
class Dotnet:
    """The run time in the cache, and the compiler."""

    windows: WindowsPython
    directory: Path
    compiler: str

    def compile(self, source: Path, folder: Path) -> Path:
        """A program for 64-bit processes from one source; its DLL, which dotnet.exe starts."""
        program = folder / f"{source.stem}.dll"
        framework = self.directory / "shared" / "Microsoft.NETCore.App" / VERSION
        done = subprocess.run(
            [
                self.compiler, "-nologo", "-warnaserror", "-langversion:7.2", "-unsafe",
                "-platform:x64", "-noconfig", "-nostdlib",
                *(f"-r:{framework / name}.dll" for name in _REFERENCES),
                f"-out:{program}", str(source),
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        options = {
            "framework": {"name": "Microsoft.NETCore.App", "version": VERSION},
            # Windows' own tables of cultures are not in Wine.
            "configProperties": {"System.Globalization.Invariant": True},
        }
        program.with_suffix(".runtimeconfig.json").write_text(
            json.dumps({"runtimeOptions": options}), encoding="utf-8"
        )
        return program

    def run(self, program: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
        """Start a program that was compiled here."""
        return self.windows.exe(self.directory / "dotnet.exe", [program, *arguments], check=False)


def dotnet(windows: WindowsPython) -> Dotnet:
    """The run time, fetched once for this machine (32 MB)."""
    compiler = shutil.which("mcs")
    if compiler is None:
        pytest.skip("mcs, the compiler of Mono, is not installed (mono-mcs on Debian)")

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=".dotnet-", dir=folder.parent) as downloads:
            with zipfile.ZipFile(fetch(RUNTIME, Path(downloads))) as archive:
                names = [name for name in archive.namelist() if name.startswith(_FOLDER)]
                archive.extractall(downloads, names)
            for path in Path(downloads, _FOLDER).iterdir():
                path.rename(folder / path.name)

    home = cache_folder().absolute() / f"dotnet-{VERSION}-{RUNTIME.sha256[:12]}"
    return Dotnet(windows, build_once(home, build), compiler)
