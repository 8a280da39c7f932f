"""What models' DLLs are made of: names and licences from a data file, versions from the headers."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aotwin.target.toolchain import SysrootPin, toolchain_path
from aotwin.version import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DEFINE = r"^\s*#\s*define\s+{}\s+(\d+)"


@dataclass(frozen=True)
class Component:
    """A piece of software in, or needed by, a model's DLL."""

    #: its table in toolchains/targets/sbom/components.toml
    key: str
    name: str
    #: "" where it is not known
    version: str
    description: str
    #: one of these three tells the licence: an SPDX expression, an SPDX id, or words
    expression: str = ""
    license_id: str = ""
    license_name: str = ""
    #: package URL without the version, "" where there is none
    purl: str = ""
    url: str = ""
    #: of the archive that it was taken from, hex; "" where there is none
    sha256: str = ""


def linked_components(
    pin: SysrootPin, *, sysroot_include: Path, zig_lib: Path, zig_version: str
) -> tuple[Component, ...]:
    """The components of every DLL of one build.

    Args:
        pin: the wheels that the sysroot was made from.
        sysroot_include: the sysroot's headers.
        zig_lib: zig's lib folder, with its C and C++ libraries.
    """
    sleef = sysroot_include / "sleef.h"
    mingw = zig_lib / "libc/include/any-windows-any/_mingw_mac.h"
    versions = {
        "torch": pin.torch_version,
        "sleef": dotted(sleef, *(f"SLEEF_VERSION_{part}" for part in _SLEEF_PARTS)),
        "openmp": pin.openmp.requirement.partition("==")[2],
        "zig": zig_version,
        "libcxx": libcxx_version(zig_lib / "libcxx/include/__config"),
        "mingw": dotted(mingw, "__MINGW64_VERSION_MAJOR", "__MINGW64_VERSION_MINOR"),
        "aotwin": __version__,
    }
    digests = {"torch": pin.torch.sha256, "openmp": pin.openmp.sha256}
    return tuple(
        Component(key=key, version=versions[key], sha256=digests.get(key, ""), **row)
        for key, row in _table().items()
    )


_SLEEF_PARTS = ("MAJOR", "MINOR", "PATCHLEVEL")


def dotted(header: Path, *macros: str) -> str:
    """A version from a header's macros, one a part; "" where one is not defined."""
    parts = [_macro(header, macro) for macro in macros]
    return ".".join(parts) if all(parts) else ""


def libcxx_version(config: Path) -> str:
    """LLVM's release from `_LIBCPP_VERSION`, which is 220108 for 22.1.8."""
    figure = _macro(config, "_LIBCPP_VERSION")
    if not figure:
        return ""
    return f"{int(figure) // 10000}.{int(figure) // 100 % 100}.{int(figure) % 100}"


def _macro(header: Path, macro: str) -> str:
    try:
        text = header.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(_DEFINE.format(re.escape(macro)), text, re.MULTILINE)
    return found[1] if found else ""


def _table() -> Mapping[str, dict[str, Any]]:
    with toolchain_path("targets/sbom/components.toml").open("rb") as file:
        data = tomllib.load(file)
    return {key: row for key, row in data.items() if isinstance(row, dict)}
