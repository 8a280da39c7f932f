"""Rules on what a DLL wants of others: all of it must exist where the DLL is loaded."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aotwin.stages.check.rules.rule import Image, Rule, Violation

#: IMAGE_IMPORT_DESCRIPTOR: lookup table, time stamp, forwarder chain, name, address table
_DESCRIPTOR = struct.Struct("<IIIII")
#: entries of all lookup tables together; a model DLL has about 150
_MAX_ENTRIES = 100_000


def check_dlls(image: Image) -> Iterator[Violation]:
    """Only DLLs that torch's wheel or Windows brings are depended on."""
    imports = image.policy.imports
    for dll in image.facts.import_dlls:
        if not imports.allows(dll):
            yield Violation(
                "it depends on a DLL that neither torch nor Windows brings",
                ", ".join((*sorted(imports.sysroot), f"a listed DLL of {image.policy.windows}")),
                dll,
                f"import {dll}",
            )


def check_ordinals(image: Image) -> Iterator[Violation]:
    """Everything is imported by name."""
    for symbol in image.facts.imports:
        if symbol.ordinal is not None:
            yield Violation(
                "a symbol is imported by its number", "an import by name", str(symbol), str(symbol)
            )


def check_sysroot(image: Image) -> Iterator[Violation]:
    """What is imported from torch's DLLs is really exported by them."""
    if image.sysroot_exports is None:
        return
    for symbol in image.facts.imports:
        if symbol.name and image.policy.imports.is_sysroot(symbol.dll):
            exported = image.sysroot_exports.get(symbol.dll.lower())
            if exported is None or symbol.name not in exported:
                yield Violation(
                    "torch's DLL does not export what the model imports",
                    f"an export of the sysroot's {symbol.dll}",
                    f"{len(exported):,} exports, not this one" if exported else "no such DLL",
                    str(symbol),
                )


def check_system(image: Image) -> Iterator[Violation]:
    """What is imported from Windows exists in its oldest supported version."""
    system = image.policy.imports.system
    for symbol in image.facts.imports:
        exported = system.get(symbol.dll.lower())
        if symbol.name and exported is not None and symbol.name not in exported:
            yield Violation(
                f"{image.policy.windows} is not known to export what the model imports",
                f"one of {len(exported)} listed exports of {symbol.dll}",
                symbol.name,
                str(symbol),
            )


def check_table(image: Image) -> Iterator[Violation]:
    """The tables are whole, and the readers followed them to their ends."""
    directory = image.facts.directory("import")
    lookups: list[int] = []
    for row in range(len(image.facts.import_dlls) + 1):
        where = f"import descriptor {row}"
        raw = image.read(directory.rva + row * _DESCRIPTOR.size, _DESCRIPTOR.size)
        if raw is None:
            yield Violation(
                "the import table has no end", "a zero descriptor", "the end of the section", where
            )
            return
        lookup, _, _, name, addresses = _DESCRIPTOR.unpack(raw)
        if not any(raw):
            break
        if row == len(image.facts.import_dlls):
            expected = "a zero descriptor where the readers stopped"
            yield Violation("the readers do not see all imports", expected, raw.hex(), where)
            return
        if not lookup or not name or not addresses:
            expected = "a name, a lookup table and an address table"
            yield Violation("an import descriptor is incomplete", expected, raw.hex(), where)
            return
        entries = _entries(image, lookup, _MAX_ENTRIES - len(lookups))
        if entries is None:
            yield Violation(
                "a table of imported symbols has no end", "a zero entry", "none found", where
            )
            return
        if image.read(addresses, 8 * len(entries)) != struct.pack(f"<{len(entries)}Q", *entries):
            yield Violation(
                "what is looked up is not what is bound",
                "equal lookup and address tables",
                f"they differ at {lookup:#x} and {addresses:#x}",
                where,
            )
        lookups += entries
    counts = len(image.facts.imports), len(lookups)
    if counts[0] != counts[1]:
        yield Violation(
            "the readers do not see all imports",
            f"{counts[1]} symbols", f"{counts[0]} symbols", "import directory",
        )  # fmt: skip


def _entries(image: Image, rva: int, most: int) -> list[int] | None:
    entries: list[int] = []
    while len(entries) <= most:
        raw = image.read(rva + 8 * len(entries), 8)
        if raw is None:
            return None
        (entry,) = struct.unpack("<Q", raw)
        if not entry:
            return entries
        entries.append(entry)
    return None


IMPORT_RULES = (
    Rule[Image](
        "PE-IMPORT-DLL",
        "Only DLLs of torch and of Windows are depended on",
        "The wheel brings no other: on the user's machine the load fails with error 126 (module "
        "not found), or finds some stranger's file.",
        "See which operator or flag brought the dependency in; link it statically or leave it out.",
        check_dlls,
    ),
    Rule[Image](
        "PE-IMPORT-ORDINAL",
        "Every symbol is imported by name",
        "Numbers of exports change from one release of a DLL to the next, silently.",
        "Link with import libraries that import by name.",
        check_ordinals,
    ),
    Rule[Image](
        "PE-IMPORT-SYSROOT",
        "torch's own DLLs export every name that is imported from them",
        "A missing name makes the load fail with error 127 (procedure not found).",
        "Build with the torch version that the users have.",
        check_sysroot,
    ),
    Rule[Image](
        "PE-IMPORT-SYSTEM",
        "The oldest supported Windows exports every name that is imported from it",
        "The DLL would load on the newest Windows only.",
        "Avoid the function, or, if Microsoft documents it for that version, add it to the list "
        "under toolchains/targets/system/.",
        check_system,
    ),
    Rule[Image](
        "PE-IMPORT-TABLE",
        "The import tables are whole, and lookup and address tables are equal",
        "A table that readers leave early hides imports from the other rules.",
        "Link again; take the DLL as the linker wrote it.",
        check_table,
    ),
)
