"""Rules on the data directories: tables that Windows follows when it loads, and unwinds."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aotwin.adapters.pe.image import DIRECTORY_NAMES
from aotwin.stages.check.rules.rule import Image, Rule, Violation

_PAGE = 4096
#: IMAGE_REL_BASED_ABSOLUTE (padding) and IMAGE_REL_BASED_DIR64 (an 8-byte address)
_PADDING, _DIR64 = 0, 10
#: IMAGE_TLS_DIRECTORY64: start, end, index, callbacks (addresses), zero fill, characteristics
_TLS = struct.Struct("<QQQQII")
#: IMAGE_SCN_ALIGN_*, all that the characteristics of a TLS directory may hold
_TLS_ALIGNMENT = 0x00F0_0000
#: functions that Windows calls for each thread; models have two or three
_MAX_CALLBACKS = 64
#: RUNTIME_FUNCTION: begin, end, unwind information (RVAs)
_FUNCTION = struct.Struct("<III")
#: versions of UNWIND_INFO
_UNWIND_VERSIONS = (1, 2)


def check_presence(image: Image) -> Iterator[Violation]:
    """Directories that must be there are, and those that must not are not."""
    policy = image.policy
    for name in DIRECTORY_NAMES:
        if name == "certificate":
            # Forbidden unless the build signed, which the image cannot tell: PE-SIGNATURE-ASKED.
            continue
        directory = image.facts.directory(name)
        present = bool(directory.rva or directory.size)
        if present != (name in policy.required_directories) and (
            name in policy.required_directories | policy.forbidden_directories
        ):
            yield Violation(
                f"the {name} directory is {'there' if present else 'missing'}",
                "no such directory" if present else "one",
                f"{directory.size} bytes at {directory.rva:#x}",
                f"{name} directory",
            )


def check_bounds(image: Image) -> Iterator[Violation]:
    """Each directory lies in one section, backed by the file."""
    for name in DIRECTORY_NAMES:
        directory = image.facts.directory(name)
        if name == "certificate" or not (directory.rva or directory.size):
            continue
        if not directory.size or image.read(directory.rva, directory.size) is None:
            yield Violation(
                "a data directory is not inside a section",
                "bytes of one section, in the file",
                f"{directory.size} bytes at {directory.rva:#x}",
                f"{name} directory",
            )


def check_relocations(image: Image) -> Iterator[Violation]:
    """Blocks are well formed, and each relocation patches an address of the image."""
    directory = image.facts.directory("relocation")
    table = image.read(directory.rva, directory.size) or b""
    position = 0
    while position < len(table):
        where = f"relocation block at {directory.rva + position:#x}"
        if len(table) - position < 8:
            yield Violation("a block is cut off", "8 bytes", f"{len(table) - position}", where)
            return
        page, size = struct.unpack_from("<II", table, position)
        if size < 8 or size % 2 or position + size > len(table) or page % _PAGE:
            expected = f"a whole page's address, a size of 8 to {len(table) - position}"
            found = f"page {page:#x}, {size} bytes"
            yield Violation("a relocation block is malformed", expected, found, where)
            return
        count = (size - 8) // 2
        entries = struct.unpack_from(f"<{count}H", table, position + 8)
        yield from _bad_relocations(image, page, entries, where)
        position += size


def _bad_relocations(
    image: Image, page: int, entries: tuple[int, ...], where: str
) -> Iterator[Violation]:
    # A block's page nearly always lies in one section, which spares a search for each entry.
    facts, start = image.facts, image.facts.file_offset(page, _PAGE + 7)
    addresses = range(facts.image_base, facts.image_base + facts.image_size + 1)
    for entry in entries:
        kind, rva = entry >> 12, page + (entry & 0xFFF)
        if kind == _PADDING:
            continue
        if kind != _DIR64:
            yield Violation("a relocation is of an unknown kind", str(_DIR64), str(kind), where)
            continue
        place = facts.file_offset(rva, 8) if start is None else start + (entry & 0xFFF)
        if place is None:
            yield Violation(
                "a relocation points outside of the image", "bytes of a section, in the file",
                f"{rva:#x}", where,
            )  # fmt: skip
            continue
        address = int.from_bytes(image.data[place : place + 8], "little")
        if address not in addresses:
            yield Violation(
                "a relocation patches something that is no address",
                f"{addresses.start:#x} to {addresses.stop - 1:#x}", f"{address:#x} at {rva:#x}",
                where,
            )  # fmt: skip


def check_tls(image: Image) -> Iterator[Violation]:
    """Thread-local data lies in a section, its index is writable, its callbacks are code."""
    directory = image.facts.directory("TLS")
    if not directory.size:
        return
    where = "TLS directory"
    raw = image.read(directory.rva, _TLS.size)
    if raw is None or directory.size != _TLS.size:
        found = f"{directory.size} bytes at {directory.rva:#x}"
        yield Violation("the TLS directory is malformed", f"{_TLS.size} bytes", found, where)
        return
    start, end, index, callbacks, zero_fill, characteristics = _TLS.unpack(raw)
    base = image.facts.image_base
    if end < start or image.read(start - base, end - start) is None:
        found = f"{start:#x} to {end:#x}"
        yield Violation("the TLS data is not in a section", "bytes of a section", found, where)
    home = image.facts.section_at(index - base, 4)
    if home is None or not home.writable:
        yield Violation(
            "the TLS index is not writable", "an address in a writable section", f"{index:#x}",
            where,
        )  # fmt: skip
    if zero_fill or characteristics & ~_TLS_ALIGNMENT:
        # Windows would set aside that much memory in every thread, or refuse the DLL.
        expected = "no zero fill, and no flags but an alignment"
        found = f"{zero_fill} bytes, flags {characteristics:#x}"
        yield Violation("the TLS directory has odd figures", expected, found, where)
    if callbacks:
        yield from _bad_callbacks(image, callbacks - base)


def _bad_callbacks(image: Image, rva: int) -> Iterator[Violation]:
    where = f"TLS callbacks at {rva:#x}"
    for index in range(_MAX_CALLBACKS):
        raw = image.read(rva + 8 * index, 8)
        if raw is None:
            break
        (callback,) = struct.unpack("<Q", raw)
        if not callback:
            return
        section = image.facts.section_at(callback - image.facts.image_base)
        if section is None or not section.executable:
            expected = "an address in an executable section"
            yield Violation("a TLS callback is no code", expected, f"{callback:#x}", where)
    yield Violation(
        "the list of TLS callbacks has no end", f"a zero after at most {_MAX_CALLBACKS}", "none",
        where,
    )  # fmt: skip


def check_unwind(image: Image) -> Iterator[Violation]:
    """Functions are sorted, do not overlap, are code, and have unwind information."""
    directory = image.facts.directory("exception")
    table = image.read(directory.rva, directory.size) or b""
    if len(table) % _FUNCTION.size:
        yield Violation(
            "the table of functions is cut off", f"a multiple of {_FUNCTION.size} bytes",
            f"{len(table)} bytes", "exception directory",
        )  # fmt: skip
        return
    previous_end, section = 0, None
    for row, (begin, end, unwind) in enumerate(_FUNCTION.iter_unpack(table)):
        where = f"exception directory, row {row}"
        if not previous_end <= begin < end:
            yield Violation(
                "the functions are not sorted, so Windows does not find them all",
                f"a function after {previous_end:#x}", f"{begin:#x} to {end:#x}", where,
            )  # fmt: skip
        if section is None or not section.virtual_address <= begin < end <= section.virtual_end:
            section = image.facts.section_at(begin, max(1, end - begin))
        if section is None or not section.executable:
            expected = "addresses in an executable section"
            yield Violation("a function is no code", expected, f"{begin:#x} to {end:#x}", where)
        header = image.read(unwind, 4)
        if header is None or header[0] & 7 not in _UNWIND_VERSIONS or unwind % 4:
            yield Violation(
                "a function's unwind information is malformed",
                "an aligned address of UNWIND_INFO, version 1 or 2", f"{unwind:#x}", where,
            )  # fmt: skip
        previous_end = end


_RELINK = "Link again; take the DLL as the linker wrote it."

DIRECTORY_RULES = (
    Rule[Image](
        "PE-DIRECTORY",
        "Data directories that models need are there, and none that they must not have",
        "Delay and bound imports, CLR headers and the like make Windows do things that no other "
        "rule looks at. Certificates have rules of their own (`PE-SIGNATURE-ASKED`).",
        "Link with the flags of the target's toolchain file.",
        check_presence,
    ),
    Rule[Image](
        "PE-DIRECTORY-BOUNDS",
        "Every data directory lies inside one section",
        "Windows follows these addresses while it loads: outside of a section they crash it.",
        _RELINK,
        check_bounds,
    ),
    Rule[Image](
        "PE-RELOCATION",
        "Relocations are well formed and patch addresses of the image only",
        "With ASLR every load relocates the image, so a bad table crashes the load or corrupts "
        "code.",
        _RELINK,
        check_relocations,
    ),
    Rule[Image](
        "PE-TLS",
        "The TLS directory points at data, a writable index, and code, and asks for no more memory",
        "Windows runs TLS callbacks before anything else in the DLL, in every thread.",
        _RELINK,
        check_tls,
    ),
    Rule[Image](
        "PE-UNWIND",
        "The function table is sorted, inside executable sections, with unwind information",
        "A C++ exception that passes a function Windows cannot find ends the process.",
        _RELINK,
        check_unwind,
    ),
)
