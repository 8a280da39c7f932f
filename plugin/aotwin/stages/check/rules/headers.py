"""Rules on the headers: is it a DLL for the target, and will Windows take it."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from aotwin.adapters.pe.checksum import compute_checksum
from aotwin.adapters.pe.image import PeFacts
from aotwin.stages.check.rules.rule import Image, Rule, Violation

#: bytes: IMAGE_DOS_HEADER; PE signature and IMAGE_FILE_HEADER; IMAGE_OPTIONAL_HEADER64 with all
#: sixteen directories; IMAGE_SECTION_HEADER
_DOS_HEADER, _FILE_HEADER, _OPTIONAL_HEADER, _SECTION_HEADER = 64, 24, 240, 40
_PE32_PLUS = 0x20B
_DIRECTORY_COUNT = 16
_PAGE = 4096
#: granularity of addresses at which Windows maps images
_ALLOCATION = 0x1_0000


def round_up(value: int, alignment: int) -> int:
    """The next multiple of `alignment` (any positive figure)."""
    return -(-value // alignment) * alignment


def check_dos_header(image: Image) -> Iterator[Violation]:
    """MZ header in front, PE header behind it and within the headers."""
    offset = image.facts.header_offset
    if image.data[:2] != b"MZ":
        yield Violation("no DOS header", "MZ", repr(image.data[:2]), "offset 0")
    end = offset + _FILE_HEADER
    if offset < _DOS_HEADER or offset % 8 or end > min(len(image.data), image.facts.headers_size):
        yield Violation(
            "the PE header is in the wrong place",
            f"a multiple of 8 from {_DOS_HEADER} on, within the headers",
            f"offset {offset:#x}",
            "e_lfanew (offset 0x3c)",
        )


def check_machine(image: Image) -> Iterator[Violation]:
    """The code is for the target's processor."""
    machine = image.policy.machine
    yield from _differs("Machine", machine, image.facts.machine, "the file is for other machines")


def check_format(image: Image) -> Iterator[Violation]:
    """A PE32+ image with its full optional header and no object-file leftovers."""
    facts = image.facts
    rows = (
        ("Magic", _PE32_PLUS, facts.magic, "the image is not PE32+"),
        (
            "SizeOfOptionalHeader", _OPTIONAL_HEADER, facts.optional_header_size,
            "the optional header has an unusual size",
        ),
        (
            "NumberOfRvaAndSizes", _DIRECTORY_COUNT, facts.directory_count,
            "the optional header has an unusual number of data directories",
        ),
        ("PointerToSymbolTable", 0, facts.symbol_table_offset, "there is a COFF symbol table"),
        ("NumberOfSymbols", 0, facts.symbol_count, "there is a COFF symbol table"),
    )  # fmt: skip
    for field, expected, found, message in rows:
        yield from _differs(field, expected, found, message)


def check_characteristics(image: Image) -> Iterator[Violation]:
    """A DLL, executable, aware of large addresses, relocatable."""
    yield from _flags(
        "Characteristics",
        image.facts.characteristics,
        image.policy.required_characteristics,
        image.policy.forbidden_characteristics,
    )


def check_hardening(image: Image) -> Iterator[Violation]:
    """ASLR, NX, high-entropy addresses."""
    yield from _flags(
        "DllCharacteristics",
        image.facts.dll_characteristics,
        image.policy.required_flags,
        image.policy.forbidden_flags,
    )


def check_subsystem(image: Image) -> Iterator[Violation]:
    """A subsystem that user programs have."""
    allowed = image.policy.subsystems
    if image.facts.subsystem not in allowed.values():
        yield Violation(
            "the subsystem is not one of user programs",
            " or ".join(f"{name} ({value})" for name, value in allowed.items()),
            str(image.facts.subsystem),
            "Subsystem",
        )


def check_windows_version(image: Image) -> Iterator[Violation]:
    """The oldest supported Windows does not refuse it."""
    oldest = image.policy.windows_version
    for field, version in (
        ("OperatingSystemVersion", image.facts.os_version),
        ("SubsystemVersion", image.facts.subsystem_version),
    ):
        if version > oldest:
            yield Violation(
                f"{image.policy.windows} would refuse to load the image",
                f"{oldest[0]}.{oldest[1]} or older",
                f"{version[0]}.{version[1]}",
                field,
            )


def check_alignment(image: Image) -> Iterator[Violation]:
    """Alignments that Windows takes, kept by all sections."""
    facts = image.facts
    for field, value, smallest, largest in (
        ("FileAlignment", facts.file_alignment, 512, _ALLOCATION),
        ("SectionAlignment", facts.section_alignment, _PAGE, _ALLOCATION),
    ):
        if not smallest <= value <= largest or value & (value - 1):
            expected = f"a power of two from {smallest} to {largest}"
            yield Violation(f"{field} is not a valid alignment", expected, str(value), field)
    if facts.image_base % _ALLOCATION:
        expected = f"a multiple of {_ALLOCATION:#x}"
        yield Violation("the base is misaligned", expected, f"{facts.image_base:#x}", "ImageBase")
    for section in facts.sections:
        for name, value, alignment in (
            ("VirtualAddress", section.virtual_address, facts.section_alignment),
            ("PointerToRawData", section.raw_offset, facts.file_alignment),
            ("SizeOfRawData", section.raw_size, facts.file_alignment),
        ):
            if alignment and value % alignment:
                yield Violation(
                    f"{name} of a section is misaligned",
                    f"a multiple of {alignment:#x}",
                    f"{value:#x}",
                    f"section {section.name}",
                )


def check_image_size(image: Image) -> Iterator[Violation]:
    """SizeOfImage ends with the last section."""
    facts = image.facts
    if facts.sections and facts.section_alignment:
        end = max(section.virtual_end for section in facts.sections)
        expected = round_up(end, facts.section_alignment)
        message = "SizeOfImage is not where the last section ends"
        yield from _differs("SizeOfImage", expected, facts.image_size, message)


def check_headers_size(image: Image) -> Iterator[Violation]:
    """SizeOfHeaders covers the section table and ends before the first section."""
    facts = image.facts
    smallest = _headers_end(facts)
    starts = [section.virtual_address for section in facts.sections]
    starts += [section.raw_offset for section in facts.sections if section.raw_size]
    largest = min([*starts, len(image.data)])
    size = facts.headers_size
    aligned = not facts.file_alignment or size % facts.file_alignment == 0
    if not smallest <= size <= largest or not aligned:
        yield Violation(
            "SizeOfHeaders is wrong",
            f"a multiple of FileAlignment from {smallest:#x} to {largest:#x}",
            f"{size:#x}",
            "SizeOfHeaders",
        )


def check_checksum(image: Image) -> Iterator[Violation]:
    """CheckSum is that of the bytes."""
    try:
        expected = compute_checksum(image.data)
    except (ValueError, struct.error):
        return
    message = "the checksum in the header is not that of the file"
    yield from _differs("CheckSum", expected, image.facts.checksum, message)


def _headers_end(facts: PeFacts) -> int:
    table = facts.header_offset + _FILE_HEADER + facts.optional_header_size
    return table + _SECTION_HEADER * len(facts.sections)


def _differs(field: str, expected: int, found: int, message: str) -> Iterator[Violation]:
    if found != expected:
        yield Violation(message, f"{expected:#x}", f"{found:#x}", field)


def _flags(
    field: str, value: int, required: Mapping[str, int], forbidden: Mapping[str, int]
) -> Iterator[Violation]:
    for name, bit in required.items():
        if not value & bit:
            yield Violation(f"{name} is off", f"{name} ({bit:#x}) on", f"{value:#06x}", field)
    for name, bit in forbidden.items():
        if value & bit:
            yield Violation(f"{name} is on", f"{name} ({bit:#x}) off", f"{value:#06x}", field)


_RELINK = "Link with the flags of the target's toolchain file, and leave the DLL as it was linked."

HEADER_RULES = (
    Rule[Image](
        "PE-DOS-HEADER",
        "A DOS header leads to a PE header inside the headers",
        "Windows refuses anything else as a bad image (error 193).",
        _RELINK,
        check_dos_header,
    ),
    Rule[Image](
        "PE-MACHINE",
        "The machine is the target's",
        "A 64-bit Python cannot load a DLL for another processor (error 193).",
        "Build for the right target.",
        check_machine,
    ),
    Rule[Image](
        "PE-FORMAT",
        "A PE32+ image with a full optional header and without a COFF symbol table",
        "Unusual headers are read differently by different programs, and symbol tables are "
        "bytes that nobody loads.",
        _RELINK,
        check_format,
    ),
    Rule[Image](
        "PE-CHARACTERISTICS",
        "The image is marked as a DLL that can be relocated",
        "LoadLibrary runs no code of an image that is not marked as a DLL; one without relocations "
        "always lies at the same address.",
        _RELINK,
        check_characteristics,
    ),
    Rule[Image](
        "PE-HARDENING",
        "ASLR, NX and high-entropy addresses are on; nothing that user programs lack is asked for",
        "Without them a fault in any library of the process is easier to exploit, and hardened "
        "Windows installations refuse the DLL.",
        _RELINK,
        check_hardening,
    ),
    Rule[Image](
        "PE-SUBSYSTEM",
        "The subsystem is one of user programs",
        "Drivers and boot programs are not loaded by user programs.",
        _RELINK,
        check_subsystem,
    ),
    Rule[Image](
        "PE-WINDOWS-VERSION",
        "The oldest supported Windows takes the image",
        "Windows refuses images that ask for a newer version than its own.",
        _RELINK,
        check_windows_version,
    ),
    Rule[Image](
        "PE-ALIGNMENT",
        "Alignments are those that Windows maps, and all sections keep them",
        "Windows refuses misaligned images.",
        _RELINK,
        check_alignment,
    ),
    Rule[Image](
        "PE-IMAGE-SIZE",
        "SizeOfImage is the end of the last section",
        "Windows reserves that many bytes; where the figure is off, it refuses the image.",
        _RELINK,
        check_image_size,
    ),
    Rule[Image](
        "PE-HEADERS-SIZE",
        "SizeOfHeaders covers the section table and ends before the first section",
        "Headers that reach into sections are read twice, as two different things.",
        _RELINK,
        check_headers_size,
    ),
    Rule[Image](
        "PE-CHECKSUM",
        "The header's checksum is that of the file",
        "The linker's output was changed, or the checksum was never set. Installers and antivirus "
        "programs take a wrong one as a sign of tampering.",
        "Set it after the link and before the seal (the build does), then leave the DLL alone.",
        check_checksum,
    ),
)
