"""Pinned packages for Windows, brought here by this machine's pip from whatever index it uses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from aotwin.errors import ToolError
from windows_on_wine.pins import Package

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def requirements(packages: Iterable[Package]) -> str:
    """A requirements file: each package with the one hash that pip may accept."""
    return "".join(f"{item.requirement} --hash=sha256:{item.sha256}\n" for item in packages)


def wheels_command(file: Path, folder: Path, python_version: str) -> list[str]:
    """pip's command that downloads the wheels for Windows that the requirements `file` names."""
    options = ["--platform", "win_amd64", "--implementation", "cp", "--only-binary", ":all:"]
    return [
        *PIP,
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        *options,
        "--python-version",
        python_version,
        "--dest",
        str(folder),
        "--requirement",
        str(file),
    ]


def sdist_command(file: Path, folder: Path) -> list[str]:
    """pip's command that downloads the source distributions that the requirements `file` names.

    pip asks a source distribution for its metadata, after it has checked the hash. Without
    isolation the setuptools at hand answers, and nothing that is not pinned is fetched.
    """
    options = ["--no-binary", ":all:", "--no-build-isolation"]
    where = ["--dest", str(folder), "--requirement", str(file)]
    return [*PIP, "download", "--quiet", "--no-deps", "--require-hashes", *options, *where]


def unpack_command(wheels: Sequence[Path], target: Path, python_version: str) -> list[str]:
    """pip's command that installs `wheels`, made for Windows, into the folder `target`."""
    return [
        *PIP,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-compile",
        # pip compares with the Python it runs on, not with the one it unpacks for
        "--ignore-requires-python",
        "--only-binary",
        ":all:",
        "--platform",
        "win_amd64",
        "--implementation",
        "cp",
        "--python-version",
        python_version,
        "--target",
        str(target),
        *map(str, wheels),
    ]


def run_pip(command: Sequence[str], purpose: str) -> None:
    """Run one of the commands above.

    Raises:
        ToolError: pip failed; its own last lines are the cause.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise ToolError(
            f"pip could not {purpose}",
            cause="\n".join(said[-6:]),
            next_step="Check that the package index pip is configured for can be reached and"
            " has these releases, then run this again.",
        )


def fetch_wheels(packages: Sequence[Package], folder: Path, python_version: str) -> list[Path]:
    """Download the wheels for Windows of `packages` into the new `folder`; their paths."""
    folder.mkdir(parents=True)
    file = folder / "requirements.txt"
    file.write_text(requirements(packages), encoding="utf-8")
    run_pip(wheels_command(file, folder, python_version), "download the wheels for Windows")
    return sorted(folder.glob("*.whl"))


def fetch_sdist(package: Package, folder: Path) -> Path:
    """Download the source distribution of `package` into the new `folder`; its path."""
    folder.mkdir(parents=True)
    file = folder / "requirements.txt"
    file.write_text(requirements([package]), encoding="utf-8")
    run_pip(sdist_command(file, folder), f"download {package.requirement}")
    return next(folder.glob("*.tar.gz"))
