"""What a maintainer must look at before a torch is pinned: it, held against another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aotwin.stages.link import Sysroot
from aotwin.target.toolchain import SysrootPin

#: headers that the DLL's part and generated code are made of, from `include/`
_HEADERS = "torch/csrc/inductor/aoti_runtime"
_INTERFACE = f"{_HEADERS}/interface.h"
_ENTRY_POINT = re.compile(r"\bAOTI_API\s+AOTIRuntimeError\s+(AOTInductor\w+)\s*\(")
_OPENMP = "libiomp5md.dll"
#: of it, what compiled code and the run time of our own may call
_OPENMP_NAME = re.compile(r"__kmpc_|omp_")


@dataclass(frozen=True)
class Difference:
    """One thing that is other than in the last pinned torch."""

    #: whether somebody must look at it before the pin can be used
    serious: bool
    text: str


@dataclass(frozen=True)
class PinnedSysroot:
    """A pin, and what it leads to."""

    pin: SysrootPin
    sysroot: Sysroot


def compare_sysroots(new: PinnedSysroot, last: PinnedSysroot) -> tuple[Difference, ...]:
    """What is different in a torch, the serious first."""
    found = (
        *_shims(new.pin, last.pin),
        *_names("entry point that torch's runner looks for", new.pin.runner, last.pin.runner),
        *_names("entry point of interface.h", _interface(new), _interface(last)),
        *_names("function of OpenMP", _openmp(new), _openmp(last)),
        *_headers(new, last),
    )
    return tuple(sorted(found, key=lambda each: not each.serious))


def _shims(new: SysrootPin, last: SysrootPin) -> Iterator[Difference]:
    yield from _names("C function of torch_cpu.dll", frozenset(new.shims), frozenset(last.shims))
    for name, digest in new.shims.items():
        if last.shims.get(name) and digest and last.shims[name] != digest:
            yield Difference(
                True,
                f"the signature of {name} changed: models of torch {last.torch_version} that call "
                f"it do not run in {new.torch_version}",
            )


def _names(what: str, new: frozenset[str], last: frozenset[str]) -> Iterator[Difference]:
    for name in sorted(last - new):
        yield Difference(True, f"gone: the {what} {name}")
    for name in sorted(new - last):
        yield Difference(what.startswith("entry"), f"new: the {what} {name}")


def _interface(of: PinnedSysroot) -> frozenset[str]:
    text = (of.sysroot.include_dirs[0] / _INTERFACE).read_text(encoding="utf-8")
    return frozenset(_ENTRY_POINT.findall(text))


def _openmp(of: PinnedSysroot) -> frozenset[str]:
    return frozenset(filter(_OPENMP_NAME.match, of.sysroot.exports[_OPENMP]))


def _headers(new: PinnedSysroot, last: PinnedSysroot) -> Iterator[Difference]:
    folders = [each.sysroot.include_dirs[0] / _HEADERS for each in (new, last)]
    names = sorted({path.name for folder in folders for path in folder.glob("*.h")})
    for name in names:
        texts = [_text(folder / name) for folder in folders]
        if texts[0] != texts[1]:
            yield Difference(False, f"{_HEADERS}/{name} is another: read what changed")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
