"""The checksum of a PE file, set and compared."""

from __future__ import annotations

from pathlib import Path

import pefile
import pytest
from pe_image import build_image

from aotwin.adapters.pe.checksum import compute_checksum, set_checksum
from aotwin.errors import CheckError, StorageError


def unset(extra: bytes = b"") -> bytes:
    image = build_image(["f", "g"])
    image.data += extra
    return bytes(image.data)


@pytest.mark.parametrize("extra", [b"", b"x", b"\xff" * 4097], ids=["even", "odd", "carries"])
def test_the_checksum_is_the_one_that_pefile_computes(extra: bytes) -> None:
    data = unset(extra)
    assert compute_checksum(data) == pefile.PE(data=data).generate_checksum()


def test_what_the_field_holds_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "model.dll"
    path.write_bytes(unset())
    set_checksum(path)
    assert path.read_bytes() != unset()
    assert compute_checksum(path.read_bytes()) == compute_checksum(unset())
    assert pefile.PE(str(path)).verify_checksum()


def test_only_the_field_is_written(tmp_path: Path) -> None:
    path = tmp_path / "model.dll"
    path.write_bytes(unset())
    set_checksum(path)
    changed = [
        place
        for place, (old, new) in enumerate(zip(unset(), path.read_bytes(), strict=True))
        if old != new
    ]
    field = build_image(["f", "g"]).at["CheckSum"]
    assert changed
    assert set(changed) <= set(range(field, field + 4))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x7fELF" + bytes(100), unset()[:0x90]])
def test_a_file_that_is_no_dll_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.dll"
    path.write_bytes(content)
    with pytest.raises(CheckError, match=r"model\.dll is no PE file"):
        set_checksum(path)
    assert path.read_bytes() == content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"model\.dll"):
        set_checksum(tmp_path / "model.dll")
