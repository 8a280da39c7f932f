"""Whatever the bytes of a DLL of 2 MB are, checking it takes 2 s and 200 MB at most.

What is compared is processor time, not time on the clock, and the memory of all three processes
as if they had their peaks at one moment.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pe_image import EXCEPTION, EXPORT, IMPORT, RELOCATION, PeImage, build_image

from aotwin.stages.check.rules.policy import load_policy

NBYTES = 2_000_000
PROBE = Path(__file__).with_name("limits_probe.py")
EXPORTS = sorted(load_policy("windows-x86_64").exports.required)


def grown() -> tuple[PeImage, int, int, int]:
    """A DLL whose last section fills it up to 2 MB; that section's offset, RVA and size."""
    image = build_image(EXPORTS)
    row = image.section(".reloc")
    start = image.peek(row, "I", offset=20)
    size = (NBYTES - start) // 4096 * 4096
    image.data.extend(bytes(start + size - len(image.data)))
    image.poke(row, "I", size, offset=8).poke(row, "I", size, offset=16)
    image.poke("SizeOfImage", "I", image.rva[".reloc"] + size)
    return image, start, image.rva[".reloc"], size


def relocations() -> PeImage:
    """As many relocations as there is room for."""
    image, start, rva, size = grown()
    block = struct.pack("<II", rva, 4096) + struct.pack("<H", 0xA000) * 2044
    image.data[start : start + size] = block * (size // 4096)
    return image.poke(f"directory {RELOCATION}", "II", rva, size)


def functions() -> PeImage:
    """As many functions as there is room for, none of them code."""
    image, start, rva, size = grown()
    count = size // 12
    rows = b"".join(struct.pack("<III", 2 * at, 2 * at + 1, 0) for at in range(count))
    image.data[start : start + len(rows)] = rows
    return image.poke(f"directory {EXCEPTION}", "II", rva, len(rows))


def exports() -> PeImage:
    """Sixty thousand exports that share one long name."""
    image, start, rva, _ = grown()
    count, name = 60_000, b"A" * 4000 + b"\0"
    place = rva + 10 * count
    tables = struct.pack("<I", image.rva[".text"]) * count + struct.pack("<I", place) * count
    tables += b"".join(struct.pack("<H", at) for at in range(count)) + name
    image.data[start : start + len(tables)] = tables
    directory = struct.pack(
        "<IIIIIIIIII", 0, 0, 0, place, 1, count, count, rva, rva + 4 * count, rva + 8 * count
    )
    image.data[start + len(tables) : start + len(tables) + 40] = directory
    return image.poke(f"directory {EXPORT}", "II", rva + len(tables), 40)


def imports() -> PeImage:
    """Twenty thousand DLLs that share one endless list of names."""
    image, start, rva, size = grown()
    count = 20_000
    thunks = rva + 20 * (count + 1)
    rows = struct.pack("<IIIII", thunks, 0, 0, rva + size - 64, thunks) * count + bytes(20)
    names = struct.pack("<Q", rva + size - 66) * ((size - len(rows) - 128) // 8)
    image.data[start : start + len(rows) + len(names)] = rows + names
    image.data[start + size - 66 : start + size - 40] = b"\0\0KERNEL32.dll".ljust(26, b"\0")
    return image.poke(f"directory {IMPORT}", "II", rva, len(rows))


def look_alikes() -> PeImage:
    """A pairing may begin at every fourth byte."""
    image, start, _, size = grown()
    image.data[start : start + size] = b"\1\0\0\0" * (size // 4)
    return image


def sections() -> PeImage:
    """More sections than any reader has room for."""
    image, *_ = grown()
    return image.poke("Machine", "HH", 0x8664, 0xFFFF)


HOSTILE: dict[str, Callable[[], PeImage]] = {
    "sound": lambda: grown()[0],
    "relocations": relocations,
    "functions": functions,
    "exports": exports,
    "imports": imports,
    "look-alikes": look_alikes,
    "sections": sections,
}


def probe(what: str, path: Path) -> dict[str, float]:
    command = [sys.executable, str(PROBE), what, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_dll_takes_no_more_than_the_limits(tmp_path: Path, case: str) -> None:
    path = tmp_path / "model.dll"
    path.write_bytes(HOSTILE[case]().finish())
    whole = probe("all", path)
    readers = [probe(reader, path)["child_nbytes"] for reader in ("pefile", "lief")]
    nbytes = whole["own_nbytes"] + sum(readers)
    assert whole["seconds"] <= 2.0, whole
    assert nbytes <= 200 << 20, (whole, readers)
