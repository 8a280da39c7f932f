"""Rules on the section table: what Windows maps, from where, with which rights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from aotwin.adapters.pe.image import Section
from aotwin.stages.check.rules.headers import round_up
from aotwin.stages.check.rules.rule import Image, Rule, Violation

#: sections that Windows maps at most
_MAX_SECTIONS = 96


def check_count(image: Image) -> Iterator[Violation]:
    """There are sections, and not more than Windows maps."""
    count = len(image.facts.sections)
    if not 1 <= count <= _MAX_SECTIONS:
        yield Violation(
            "wrong number of sections", f"1 to {_MAX_SECTIONS}", str(count), "section table"
        )


def check_bounds(image: Image) -> Iterator[Violation]:
    """Sections lie inside the file and inside the image, behind the headers."""
    facts, end = image.facts, len(image.data)
    for section in facts.sections:
        where = f"section {section.name}"
        if section.raw_size and not facts.headers_size <= section.raw_offset <= (
            end - section.raw_size
        ):
            yield Violation(
                "a section reaches outside of the file",
                f"file offsets from {facts.headers_size:#x} to {end:#x}",
                f"{section.raw_offset:#x} to {section.raw_end:#x}",
                where,
            )
        if section.virtual_address < facts.headers_size or section.virtual_end > facts.image_size:
            yield Violation(
                "a section reaches outside of the image",
                f"addresses from {facts.headers_size:#x} to {facts.image_size:#x}",
                f"{section.virtual_address:#x} to {section.virtual_end:#x}",
                where,
            )


def check_order(image: Image) -> Iterator[Violation]:
    """Sections follow each other in memory without gaps, as Windows demands."""
    alignment = image.facts.section_alignment
    if not alignment:
        return
    previous_end = image.facts.headers_size
    for section in image.facts.sections:
        expected = round_up(previous_end, alignment)
        if section.virtual_address != expected:
            yield Violation(
                "a section does not begin where the one before it ends",
                f"{expected:#x}",
                f"{section.virtual_address:#x}",
                f"section {section.name}",
            )
        previous_end = section.virtual_end


def check_overlaps(image: Image) -> Iterator[Violation]:
    """No byte belongs to two sections, in the file or in memory."""
    sections = image.facts.sections
    backed = [section for section in sections if section.raw_size]
    for first, second in pairwise(sorted(backed, key=lambda section: section.raw_offset)):
        if second.raw_offset < first.raw_end:
            yield _overlap(first, second, "the file", first.raw_end, second.raw_offset)
    for first, second in pairwise(sorted(sections, key=lambda section: section.virtual_address)):
        if second.virtual_address < first.virtual_end:
            yield _overlap(first, second, "memory", first.virtual_end, second.virtual_address)


def check_overlay(image: Image) -> Iterator[Violation]:
    """Nothing but a certificate table follows the last section."""
    ends = [section.raw_end for section in image.facts.sections if section.raw_size]
    end = max([image.facts.headers_size, *ends])
    table = image.facts.directory("certificate")
    # From the certificate table on, the file is the business of the rules on signatures.
    file_end = table.rva if table.size and end <= table.rva < len(image.data) else len(image.data)
    if file_end > end:
        yield Violation(
            "bytes were appended to the file",
            f"the end of the file at {end:#x}, where the last section ends",
            f"{file_end - end:,} bytes more",
            f"offset {end:#x}",
        )


def check_rights(image: Image) -> Iterator[Violation]:
    """No section can be both written and executed."""
    for section in image.facts.sections:
        if section.writable and section.executable:
            yield Violation(
                "a section is writable and executable",
                "one of the two",
                f"characteristics {section.characteristics:#010x}",
                f"section {section.name}",
            )


def check_entry_point(image: Image) -> Iterator[Violation]:
    """The entry point is code."""
    entry = image.facts.entry_point
    section = image.facts.section_at(entry)
    if section is None or not section.executable:
        yield Violation(
            "the entry point is not in an executable section",
            "an address in an executable section",
            f"{entry:#x}, in {f'section {section.name}' if section else 'no section'}",
            "AddressOfEntryPoint",
        )


def _overlap(first: Section, second: Section, place: str, end: int, start: int) -> Violation:
    return Violation(
        f"two sections overlap in {place}",
        f"{second.name} from {end:#x} on, where {first.name} ends",
        f"{second.name} from {start:#x} on",
        f"sections {first.name} and {second.name}",
    )


_DAMAGED = "Link again; take the DLL as the linker wrote it."

SECTION_RULES = (
    Rule[Image](
        "PE-SECTION-COUNT",
        "There are 1 to 96 sections",
        "Windows refuses images with more, and one without any holds nothing.",
        _DAMAGED,
        check_count,
    ),
    Rule[Image](
        "PE-SECTION-BOUNDS",
        "Every section lies inside the file and inside the image",
        "A section that ends outside of the file means that the file was cut off; one outside of "
        "the image is refused.",
        _DAMAGED,
        check_bounds,
    ),
    Rule[Image](
        "PE-SECTION-ORDER",
        "Sections follow each other in memory, in the order of the table, without gaps",
        "Windows refuses images in which they do not.",
        _DAMAGED,
        check_order,
    ),
    Rule[Image](
        "PE-SECTION-OVERLAP",
        "No two sections share bytes, in the file or in memory",
        "Shared bytes are mapped twice with different rights: a way around every other rule.",
        _DAMAGED,
        check_overlaps,
    ),
    Rule[Image](
        "PE-OVERLAY",
        "Nothing follows the last section",
        "Appended bytes are never mapped. They are what a tool left behind, or weights appended "
        "in the old way, and they break signatures.",
        "Keep weights in the blob beside the DLL; do not let tools touch the DLL.",
        check_overlay,
    ),
    Rule[Image](
        "PE-WX",
        "No section is both writable and executable",
        "Such memory is what exploits look for, and hardened programs refuse it.",
        "Remove the compiler or linker flag that asks for it.",
        check_rights,
    ),
    Rule[Image](
        "PE-ENTRY-POINT",
        "The entry point lies in an executable section",
        "Windows calls it on loading, so anything else crashes the program that loads the DLL.",
        _DAMAGED,
        check_entry_point,
    ),
)
