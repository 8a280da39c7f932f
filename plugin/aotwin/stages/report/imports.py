"""What DLLs import, and who brings it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aotwin.adapters.pe.image import PeFacts
from aotwin.formats.manifest_reader import Manifest
from aotwin.stages.check import load_policy

_C_RUN_TIME = "api-ms-win-crt-*.dll (C run time)"
#: what the SDK brings, beside the program
_SDK_LIBRARY = "aotwin.dll"


@dataclass(frozen=True)
class Imported:
    """What is imported of one DLL."""

    dll: str
    #: who brings it
    resolved: str
    names: Sequence[str]


def imports_of(
    facts: PeFacts, manifest: Manifest | None, bound: Sequence[str] = ()
) -> list[Imported]:
    """The DLLs that one imports from, those of a run time first.

    Args:
        bound: functions that a DLL over our own run time finds in its library.
    """
    names: dict[str, list[str]] = {_shown(dll): [] for dll in facts.import_dlls}
    for symbol in facts.imports:
        names.setdefault(_shown(symbol.dll), []).append(symbol.name or f"#{symbol.ordinal}")
    rows = [Imported(dll, _resolved(dll, manifest), sorted(each)) for dll, each in names.items()]
    rows.sort(key=lambda row: (row.resolved.startswith("Windows"), row.dll.lower()))
    if manifest is not None and manifest.libs is not None:
        library = manifest.libs.library.rpartition("/")[2]
        own = Imported(library, "aotwin's own run time, in the package", list(bound))
        return [own, *rows]
    return rows


def _shown(dll: str) -> str:
    """The dozen API sets of the C run time are one library."""
    return _C_RUN_TIME if dll.lower().startswith("api-ms-win-crt-") else dll


def _resolved(dll: str, manifest: Manifest | None) -> str:
    if dll == _C_RUN_TIME:
        return "Windows"
    imports = load_policy().imports
    if imports.is_sysroot(dll):
        versions = "" if manifest is None else " or ".join(manifest.runs_with)
        return f"torch{f' {versions}' if versions else ''}, installed on Windows"
    if dll.lower() == _SDK_LIBRARY:
        return "the SDK, beside the program"
    if not imports.allows(dll):
        return "nobody: it is not of Windows, nor of torch"
    return "Windows"
