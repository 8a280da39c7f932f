"""The lists of zig's cache, made to fit files that were laid out anew."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from aotwin.adapters.tools.zig_cache import (
    Stamps,
    UnknownFormError,
    entries,
    stamp_cache,
    stamped,
)

LIB, CACHE, ANYWHERE = 4, 12, 0


def row(nbytes: int, place: int, path: str, inode: int = 1, time: int = 2) -> bytes:
    stamp = struct.pack("<QQQ", nbytes, inode, time)
    return stamp + bytes(range(16)) + bytes([place]) + path.encode() + b"\0"


def layout(folder: Path) -> tuple[Path, Path]:
    """A lib folder and a cache, each with a file of three bytes."""
    lib, cache = folder / "lib", folder / "cache"
    (lib / "libcxx").mkdir(parents=True)
    (cache / "b").mkdir(parents=True)
    (cache / "h").mkdir()
    (lib / "libcxx" / "ios.cpp").write_bytes(b"abc")
    (cache / "b" / "builtin.zig").write_bytes(b"abc")
    return lib, cache


def test_rows_get_the_inode_and_time_that_their_files_have_here(tmp_path: Path) -> None:
    lib, cache = layout(tmp_path)
    data = row(3, LIB, "libcxx/ios.cpp") + row(3, CACHE, "b/builtin.zig") + b"\0"
    new = stamped(data, Stamps(lib, cache))
    for (at, nbytes, _, _), path in zip(
        entries(new), (lib / "libcxx" / "ios.cpp", cache / "b" / "builtin.zig"), strict=True
    ):
        status = path.stat()
        assert struct.unpack_from("<QQQ", new, at) == (nbytes, status.st_ino, status.st_mtime_ns)
        assert new[at + 24 : at + 40] == bytes(range(16)), "the digest stays"
    assert len(new) == len(data)


@pytest.mark.parametrize(
    "changed",
    [
        row(4, LIB, "libcxx/ios.cpp"),
        row(3, LIB, "libcxx/missing.cpp"),
        row(3, ANYWHERE, "libcxx/ios.cpp"),
        row(3, LIB, "libcxx"),
    ],
    ids=["another size", "missing", "somewhere else", "a folder"],
)
def test_rows_of_other_files_stay(tmp_path: Path, changed: bytes) -> None:
    data = changed + b"\0"
    assert stamped(data, Stamps(*layout(tmp_path))) == data


@pytest.mark.parametrize("data", [b"x" * 50, row(1, LIB, "a")[:-1], row(1, LIB, "")])
def test_a_list_of_another_form_is_left_as_it_is(tmp_path: Path, data: bytes) -> None:
    lib, cache = layout(tmp_path)
    with pytest.raises(UnknownFormError):
        stamped(data, Stamps(lib, cache))
    place = cache / "h" / ("0" * 32)
    place.write_bytes(data)
    assert stamp_cache(cache, lib) == 0
    assert place.read_bytes() == data


def test_a_cache_that_was_copied_is_stamped_once(tmp_path: Path) -> None:
    lib, cache = layout(tmp_path)
    place = cache / "h" / ("a" * 32)
    place.write_bytes(row(3, LIB, "libcxx/ios.cpp") + b"\0")
    (cache / "h" / "timestamp").write_bytes(b"")
    assert stamp_cache(cache, lib) == 1
    assert stamp_cache(cache, lib) == 0
    os.utime(lib / "libcxx" / "ios.cpp", ns=(5, 5))
    assert stamp_cache(cache, lib) == 1
