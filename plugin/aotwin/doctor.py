"""What `aotwin doctor` says: what this machine has, what it lacks, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from dataclasses import dataclass

from aotwin.adapters.storage.cache import cache_dir
from aotwin.adapters.tools.zig import find_zig
from aotwin.errors import AotwinError
from aotwin.target.toolchain import known_targets, load_toolchain


@dataclass(frozen=True)
class Row:
    """One thing that was looked for."""

    what: str
    ok: bool
    found: str
    next_step: str = ""
    #: False where a build works without it
    required: bool = True


def examine() -> list[Row]:
    """Look for everything that builds and checks use; starts nothing and fetches nothing."""
    return [
        _python(),
        _zig(),
        *(_torch_versions(name) for name in known_targets()),
        *(_sysroot(name) for name in known_targets()),
        _torch(),
        _wine(),
        _osslsigncode(),
    ]


def _python() -> Row:
    version = sys.version.partition(" ")[0]
    return Row("Python", sys.version_info >= (3, 10), version, "Use Python 3.10 or newer.")


def _zig() -> Row:
    try:
        zig = find_zig()
    except AotwinError as error:
        return Row("zig", False, error.fact, error.next_step)
    warm = any(zig.lib_dir.parent.glob("warm-*"))
    state = "C++ run time built" if warm else "C++ run time not built yet: 2 to 4 minutes once"
    return Row("zig", True, f"{zig.version}, {state}")


def _torch_versions(target: str) -> Row:
    versions = ", ".join(load_toolchain(target).torch_versions)
    return Row(f"builds for {target}", True, f"models of torch {versions}")


def _sysroot(target: str) -> Row:
    toolchain = load_toolchain(target)
    folders = sorted((cache_dir() / "sysroots").glob(f"torch-*-{toolchain.name}-*/"))
    found = ", ".join(folder.name for folder in folders) or "not fetched yet"
    return Row(
        f"sysroot {toolchain.name}", bool(folders), found, "aotwin toolchain fetch", required=False
    )


def _torch() -> Row:
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Row(
            "torch",
            False,
            "not installed: only ready wrappers can be built",
            'pip install "aotwin[export]"',
            required=False,
        )
    buildable = {each for name in known_targets() for each in load_toolchain(name).torch_versions}
    release = version.partition("+")[0]
    return Row(
        "torch",
        release in buildable,
        version if release in buildable else f"{version}, which no sysroot is pinned for",
        f"Install torch {' or '.join(sorted(buildable))}.",
        required=False,
    )


def _wine() -> Row:
    program = shutil.which("wine64") or shutil.which("wine")
    return Row(
        "Wine",
        program is not None,
        program or "not installed: check=wine and aotwin run do not work",
        "Install the package wine of your distribution.",
        required=False,
    )


def _osslsigncode() -> Row:
    program = shutil.which("osslsigncode")
    return Row(
        "osslsigncode",
        program is not None,
        program or "not installed: needed only for models with sign = {...}",
        "Install the package osslsigncode of your distribution.",
        required=False,
    )
