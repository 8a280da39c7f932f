"""Rules on what a DLL offers: AOTInductor's C API, ours, and nothing else."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

from aotwin.stages.check.rules.rule import Image, Rule, Violation

#: IMAGE_EXPORT_DIRECTORY: bytes, and its five figures from NumberOfFunctions on
_DIRECTORY_SIZE = 40
_TABLES = struct.Struct("<IIIII")
_TABLES_OFFSET = 20


def check_missing(image: Image) -> Iterator[Violation]:
    """The whole C API is there."""
    names = {export.name for export in image.facts.exports}
    for name in sorted(image.policy.exports.required - names):
        yield Violation("a required export is missing", name, "no such export", name)


def check_extra(image: Image) -> Iterator[Violation]:
    """Nothing but the C API and our own functions is there."""
    for export in image.facts.exports:
        if not image.policy.exports.allows(export.name):
            yield Violation(
                "an export belongs to neither AOTInductor's C API nor aotwin",
                f"{len(image.policy.exports.required)} names of AOTInductor, and "
                + ", ".join(image.policy.exports.own),
                export.name or f"ordinal {export.ordinal} without a name",
                export.name or f"ordinal {export.ordinal}",
            )


def check_targets(image: Image) -> Iterator[Violation]:
    """Exports are code of this very DLL."""
    for export in image.facts.exports:
        section = image.facts.section_at(export.rva)
        if export.forwarder:
            found = f"a forwarder to {export.forwarder}"
        elif section is None:
            found = f"address {export.rva:#x} in no section"
        elif not section.executable:
            found = f"data in section {section.name}"
        else:
            continue
        expected = "a function in an executable section"
        yield Violation("an export is no function of this DLL", expected, found, export.name)


def check_table(image: Image) -> Iterator[Violation]:
    """The tables are whole, and sorted as the loader's binary search needs them."""
    directory = image.facts.directory("export")
    if not directory.size and not image.policy.exports.required:
        return
    header = image.read(directory.rva, _DIRECTORY_SIZE) if directory.size else None
    if header is None:
        yield Violation(
            "the export directory cannot be read", "an export directory inside a section",
            f"address {directory.rva:#x}, {directory.size} bytes", "export directory",
        )  # fmt: skip
        return
    functions, names, addresses_rva, names_rva, ordinals_rva = _TABLES.unpack_from(
        header, _TABLES_OFFSET
    )
    for title, rva, size in (
        ("addresses", addresses_rva, 4 * functions),
        ("names", names_rva, 4 * names),
        ("ordinals", ordinals_rva, 2 * names),
    ):
        if image.read(rva, size) is None:
            yield Violation(
                f"the table of exported {title} reaches outside of its section",
                "a table inside a section", f"{size} bytes at {rva:#x}", "export directory",
            )  # fmt: skip
    listed = [export.name for export in image.facts.exports if export.name]
    if len(listed) != names:
        yield Violation(
            "the number of exported names is wrong",
            f"{names} names", f"{len(listed)} can be read", "export directory",
        )  # fmt: skip
    for name, count in Counter(listed).items():
        if count > 1:
            yield Violation("a name is exported more than once", "once", f"{count} times", name)
    yield from _unsorted(image, names_rva, names)


def _unsorted(image: Image, rva: int, count: int) -> Iterator[Violation]:
    table = image.read(rva, 4 * count) or b""
    previous = b""
    for (pointer,) in struct.iter_unpack("<I", table):
        name = _name_at(image, pointer)
        if name is None or name <= previous:
            yield Violation(
                "the exported names are not sorted, so Windows does not find them all",
                f"a name after {previous.decode('latin-1')!r}",
                repr(name.decode("latin-1")) if name is not None else "no name",
                f"address {pointer:#x}",
            )
            return
        previous = name


def _name_at(image: Image, rva: int) -> bytes | None:
    offset = image.facts.file_offset(rva)
    if offset is None:
        return None
    end = image.data.find(b"\0", offset, offset + 4096)
    return image.data[offset:end] if end > offset else None


EXPORT_RULES = (
    Rule[Image](
        "PE-EXPORT-MISSING",
        "Every function of AOTInductor's C API is exported",
        "torch's runner and other host programs look each of them up when they load the model.",
        "Build with the torch version that the policy was written for, and link with the "
        "generated module-definition file.",
        check_missing,
    ),
    Rule[Image](
        "PE-EXPORT-EXTRA",
        "Nothing else is exported but names that begin with Aotwin",
        "Stray exports (of the C run-time library, of SLEEF) clash with those of other DLLs and "
        "show that the link did not go as planned.",
        "Link with the generated module-definition file.",
        check_extra,
    ),
    Rule[Image](
        "PE-EXPORT-TARGET",
        "Every export is a function in an executable section of this DLL",
        "A forwarder makes Windows load another DLL; data that is called as a function crashes.",
        "Link again; take the DLL as the linker wrote it.",
        check_targets,
    ),
    Rule[Image](
        "PE-EXPORT-TABLE",
        "The export tables are whole, sorted, and name each symbol once",
        "Windows finds exports by binary search: in an unsorted table it misses some of them.",
        "Link again; take the DLL as the linker wrote it.",
        check_table,
    ),
)
