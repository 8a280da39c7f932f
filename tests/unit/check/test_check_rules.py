"""Each rule of the check is broken by a file made for it, and no other rule is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pe_image import (
    CLR,
    DEBUG,
    EXCEPTION,
    FILE_ALIGNMENT,
    IMAGE_BASE,
    IMPORT,
    RELOCATION,
    SECTION_ALIGNMENT,
    PeImage,
    build_image,
)

from aotwin.adapters.pe import pefile_reader as pe_pefile
from aotwin.adapters.pe.image import PeFacts, Unreadable, facts_of
from aotwin.stages.check.rules import FILE_RULES, IMAGE_RULES, RULES, File, Image
from aotwin.stages.check.rules.policy import load_policy

POLICY = load_policy("windows-x86_64")
EXPORTS = [*POLICY.exports.required, "AotwinWeightsInfo"]
SYSROOT = {
    "torch_cpu.dll": frozenset({"aoti_torch_delete_tensor_object", "aoti_torch_get_dim"}),
    "libiomp5md.dll": frozenset({"__kmpc_fork_call"}),
}


def imports_of(dll: str, symbol: str | int) -> dict[str, tuple[str | int, ...]]:
    return {"torch_cpu.dll": ("aoti_torch_get_dim",), dll: (symbol,)}


def move_section(image: PeImage, name: str, distance: int, directory: int) -> PeImage:
    image.poke(image.section(name), "I", image.rva[name] + distance, offset=12)
    image.poke(f"directory {directory}", "I", image.rva[name] + distance)
    return image.poke("SizeOfImage", "I", image.peek("SizeOfImage", "I") + distance)


def swap_rows(image: PeImage, place: str, size: int) -> PeImage:
    start = image.at[place]
    row, following = start + size, start + 2 * size
    rows = image.data[start:row], image.data[row:following]
    image.data[start:following] = rows[1] + rows[0]
    return image


def raw_overlap(image: PeImage) -> PeImage:
    start_of_text = image.peek(image.section(".text"), "I", offset=20)
    return image.poke(image.section(".extra"), "I", start_of_text, offset=20)


def virtual_overlap(image: PeImage) -> PeImage:
    # Its own address stays, so only its size tells: it runs into the section behind it.
    return image.poke(image.section(".extra"), "I", SECTION_ALIGNMENT + 1, offset=8)


BROKEN: list[tuple[str, str, Callable[[], PeImage]]] = [
    ("PE-DOS-HEADER", "misplaced", lambda: build_image(EXPORTS, header_offset=0x84)),
    ("PE-MACHINE", "arm64", lambda: build_image(EXPORTS).poke("Machine", "H", 0xAA64)),
    ("PE-FORMAT", "symbols", lambda: build_image(EXPORTS).poke("NumberOfSymbols", "I", 1)),
    ("PE-CHARACTERISTICS", "exe", lambda: build_image(EXPORTS).poke("Characteristics", "H", 0x22)),
    (
        "PE-CHARACTERISTICS",
        "not-relocatable",
        lambda: build_image(EXPORTS).poke("Characteristics", "H", 0x2023),
    ),
    (
        "PE-HARDENING",
        "aslr-off",
        lambda: build_image(EXPORTS).poke("DllCharacteristics", "H", 0x120),
    ),
    ("PE-HARDENING", "nx-off", lambda: build_image(EXPORTS).poke("DllCharacteristics", "H", 0x60)),
    (
        "PE-HARDENING",
        "high-entropy-off",
        lambda: build_image(EXPORTS).poke("DllCharacteristics", "H", 0x140),
    ),
    (
        "PE-HARDENING",
        "integrity-forced",
        lambda: build_image(EXPORTS).poke("DllCharacteristics", "H", 0x1E0),
    ),
    ("PE-SUBSYSTEM", "native", lambda: build_image(EXPORTS).poke("Subsystem", "H", 1)),
    (
        "PE-WINDOWS-VERSION",
        "windows-11",
        lambda: build_image(EXPORTS).poke("SubsystemVersion", "HH", 10, 1),
    ),
    ("PE-ALIGNMENT", "one-byte", lambda: build_image(EXPORTS).poke("FileAlignment", "I", 1)),
    (
        "PE-IMAGE-SIZE",
        "a-page-more",
        lambda: (image := build_image(EXPORTS)).poke(
            "SizeOfImage", "I", image.peek("SizeOfImage", "I") + SECTION_ALIGNMENT
        ),
    ),
    (
        "PE-HEADERS-SIZE",
        "table-left-out",
        lambda: build_image(EXPORTS).poke("SizeOfHeaders", "I", FILE_ALIGNMENT),
    ),
    ("PE-SECTION-COUNT", "97", lambda: build_image(EXPORTS, empty_sections=91)),
    (
        "PE-SECTION-BOUNDS",
        "cut-off",
        lambda: (image := build_image(EXPORTS)).poke(
            image.section(".reloc"), "I", 2 * FILE_ALIGNMENT, offset=16
        ),
    ),
    (
        "PE-SECTION-ORDER",
        "gap",
        lambda: move_section(build_image(EXPORTS), ".reloc", SECTION_ALIGNMENT, RELOCATION),
    ),
    ("PE-SECTION-OVERLAP", "in-the-file", lambda: raw_overlap(build_image(EXPORTS))),
    (
        "PE-WX",
        "text",
        lambda: (image := build_image(EXPORTS)).poke(
            image.section(".text"), "I", 0xE000_0020, offset=36
        ),
    ),
    (
        "PE-ENTRY-POINT",
        "data",
        lambda: (image := build_image(EXPORTS)).poke(
            "AddressOfEntryPoint", "I", image.rva[".data"]
        ),
    ),
    ("PE-ENTRY-POINT", "none", lambda: build_image(EXPORTS).poke("AddressOfEntryPoint", "I", 0)),
    (
        "PE-DIRECTORY",
        "clr",
        lambda: (image := build_image(EXPORTS)).poke(
            f"directory {CLR}", "II", image.rva[".extra"], 72
        ),
    ),
    (
        "PE-DIRECTORY",
        "no-unwind-table",
        lambda: build_image(EXPORTS).poke(f"directory {EXCEPTION}", "II", 0, 0),
    ),
    (
        "PE-DIRECTORY-BOUNDS",
        "behind-a-section",
        lambda: (image := build_image(EXPORTS)).poke(
            f"directory {DEBUG}", "II", image.rva[".extra"], FILE_ALIGNMENT + 1
        ),
    ),
    (
        "PE-RELOCATION",
        "of-32-bits",
        lambda: build_image(EXPORTS).poke("relocations", "H", 3 << 12, offset=8),
    ),
    (
        "PE-RELOCATION",
        "block-of-no-bytes",
        lambda: build_image(EXPORTS).poke("relocations", "I", 0, offset=4),
    ),
    (
        "PE-RELOCATION",
        "outside",
        lambda: build_image(EXPORTS).poke("relocations", "I", 0x7FFF_F000),
    ),
    (
        "PE-TLS",
        "constant-index",
        lambda: (image := build_image(EXPORTS)).poke(
            "TLS", "Q", IMAGE_BASE + image.rva[".rdata"], offset=16
        ),
    ),
    ("PE-TLS", "zero-fill", lambda: build_image(EXPORTS).poke("TLS", "I", 1 << 30, offset=32)),
    ("PE-TLS", "flags", lambda: build_image(EXPORTS).poke("TLS", "I", 1, offset=36)),
    (
        "PE-RELOCATION",
        "code-as-address",
        lambda: (image := build_image(EXPORTS)).poke(
            "relocations", "IIH", image.rva[".text"], 16, 0xA000
        ),
    ),
    (
        "PE-TLS",
        "data-outside",
        lambda: build_image(EXPORTS).poke("TLS", "QQ", IMAGE_BASE + 0x10, IMAGE_BASE + 0x20),
    ),
    (
        "PE-TLS",
        "data-as-callback",
        lambda: (image := build_image(EXPORTS)).poke(
            "callbacks", "Q", IMAGE_BASE + image.rva[".data"]
        ),
    ),
    ("PE-UNWIND", "unsorted", lambda: swap_rows(build_image(EXPORTS), "functions", 12)),
    (
        "PE-UNWIND",
        "data",
        lambda: (image := build_image(EXPORTS)).poke(
            "functions", "II", image.rva[".rdata"] - 16, image.rva[".rdata"] - 15, offset=12 * 40
        ),
    ),
    ("PE-UNWIND", "unknown-version", lambda: build_image(EXPORTS).poke("unwind", "B", 7)),
    ("PE-EXPORT-MISSING", "one", lambda: build_image(EXPORTS[1:])),
    ("PE-EXPORT-EXTRA", "stray", lambda: build_image([*EXPORTS, "Sleef_malloc"])),
    (
        "PE-EXPORT-TARGET",
        "data",
        lambda: (image := build_image(EXPORTS)).poke("export addresses", "I", image.rva[".data"]),
    ),
    ("PE-EXPORT-TARGET", "forwarder", lambda: build_image(EXPORTS, forwarder="ntdll.NtClose")),
    ("PE-EXPORT-TABLE", "unsorted", lambda: swap_rows(build_image(EXPORTS), "export names", 4)),
    (
        "PE-IMPORT-DLL",
        "stranger",
        lambda: build_image(EXPORTS, imports=imports_of("stranger.dll", "f")),
    ),
    (
        "PE-IMPORT-ORDINAL",
        "kernel32",
        lambda: build_image(EXPORTS, imports=imports_of("KERNEL32.dll", 7)),
    ),
    (
        "PE-IMPORT-SYSROOT",
        "not-exported",
        lambda: build_image(EXPORTS, imports=imports_of("libiomp5md.dll", "__kmpc_new")),
    ),
    (
        "PE-IMPORT-SYSTEM",
        "too-new",
        lambda: build_image(EXPORTS, imports=imports_of("KERNEL32.dll", "VirtualAlloc2")),
    ),
    (
        "PE-IMPORT-TABLE",
        "bound-to-another-name",
        lambda: build_image(EXPORTS).poke("address table of KERNEL32.dll", "I", 0x2000),
    ),
]


def violated(data: bytes) -> set[str]:
    facts = facts_of(pe_pefile.read(data))
    image = Image(data, facts, POLICY, SYSROOT)
    return {rule.id for rule in IMAGE_RULES if rule.findings(image)}


def test_a_sound_dll_breaks_no_rule() -> None:
    assert violated(build_image(EXPORTS).finish()) == set()


@pytest.mark.parametrize(
    ("rule", "make"),
    [pytest.param(rule, make, id=f"{rule}-{case}") for rule, case, make in BROKEN],
)
def test_exactly_the_rule_that_a_dll_was_made_to_break_is_broken(
    rule: str, make: Callable[[], PeImage]
) -> None:
    assert violated(make().finish()) == {rule}


def test_a_wrong_checksum_breaks_the_checksum_rule() -> None:
    image = build_image(EXPORTS)
    image.finish()
    image.poke("CheckSum", "I", image.peek("CheckSum", "I") ^ 1)
    assert violated(bytes(image.data)) == {"PE-CHECKSUM"}


def test_appended_bytes_break_the_overlay_rule() -> None:
    image = build_image(EXPORTS)
    image.data += b"weights"
    assert violated(image.finish()) == {"PE-OVERLAY"}


def test_sections_that_overlap_in_memory_are_found() -> None:
    assert "PE-SECTION-OVERLAP" in violated(virtual_overlap(build_image(EXPORTS)).finish())


def test_every_rule_on_images_is_broken_by_some_test() -> None:
    broken = {rule for rule, _, _ in BROKEN} | {"PE-CHECKSUM", "PE-OVERLAY"}
    assert broken == {rule.id for rule in IMAGE_RULES}


def test_rule_names_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def facts() -> PeFacts:
    return facts_of(pe_pefile.read(build_image(EXPORTS).finish()))


FILES = {
    "PE-FILE": File(None, "Permission denied", {}, None),
    "PE-SEAL": File(b"MZ", "", {}, "0" * 64),
    "PE-READ": File(b"MZ", "", {"lief": Unreadable("lief crashed (SIGSEGV)")}, None),
    "PE-READERS": File(
        b"MZ", "", {"pefile": facts(), "lief": replace(facts(), import_dlls=())}, None
    ),
}


@pytest.mark.parametrize("rule", [pytest.param(rule.id, id=rule.id) for rule in FILE_RULES])
def test_a_file_breaks_the_one_rule_that_it_was_made_to_break(rule: str) -> None:
    assert {each.id for each in FILE_RULES if each.findings(FILES[rule])} == {rule}


def test_a_disagreement_names_what_each_reader_sees() -> None:
    (finding,) = next(each for each in FILE_RULES if each.id == "PE-READERS").findings(
        FILES["PE-READERS"]
    )
    assert (finding.where, finding.expected, finding.found) == (
        "import_dlls",
        "pefile: [0] torch_cpu.dll",
        "lief: [0] None",
    )


def test_a_table_that_breaks_a_rule_a_thousand_times_gives_a_readable_report() -> None:
    data = build_image([*EXPORTS, *(f"stray{index}" for index in range(1000))]).finish()
    image = Image(data, facts_of(pe_pefile.read(data)), POLICY, SYSROOT)
    findings = [each for rule in IMAGE_RULES for each in rule.findings(image)]
    assert {each.id for each in findings} == {"PE-EXPORT-EXTRA"}
    assert len(findings) == 50
    assert findings[-1].message == "broken in more places"


def test_imports_from_torch_are_left_alone_without_a_sysroot() -> None:
    data = build_image(EXPORTS, imports=imports_of("torch_cpu.dll", "no_such_shim")).finish()
    image = Image(data, facts_of(pe_pefile.read(data)), POLICY, None)
    assert [each for rule in IMAGE_RULES for each in rule.findings(image)] == []


def test_the_import_table_has_an_end_that_the_readers_reach() -> None:
    image = build_image(EXPORTS)
    seen = facts_of(pe_pefile.read(image.finish()))
    blind = replace(seen, import_dlls=seen.import_dlls[:1], imports=seen.imports[:2])
    subject = Image(bytes(image.data), blind, POLICY, SYSROOT)
    rule = next(each for each in IMAGE_RULES if each.id == "PE-IMPORT-TABLE")
    assert [each.message for each in rule.findings(subject)] == [
        "the readers do not see all imports"
    ]
    assert image.peek(f"directory {IMPORT}", "I") != 0
