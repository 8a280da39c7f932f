"""The file of `aotwin toolchain export`: everything in it is listed in its first member.

Each with its size and sha256; it is checked before any of it is used, and nothing else than what
an export writes is ever laid out.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from aotwin.adapters.storage.files import storage_errors
from aotwin.adapters.tools.index import file_sha256
from aotwin.errors import CheckError, ConfigurationError
from aotwin.stages.runtime import LIBRARY

ARCHIVE_VERSION = 1
_LISTING = "aotwin-toolchain.json"
_MAX_LISTING = 4 << 20
#: bytes of all members: several times what an archive has
_MAX_NBYTES = 1 << 30
_MAX_FILES = 20_000
#: folders in it: zig's cache, our own run time, what models share, the wheels of sysroots
ZIG, RUN_TIME, SHARED, WHEELS = "zig/", "runtime/", "objects/", "wheels/"
#: what a member may be called: nothing else is ever written
MEMBER = re.compile(
    r"zig/(?:h/[0-9a-f]{32}|[ob]/[0-9a-f]{32}/[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,100})"
    rf"|runtime/aotwin-[0-9a-f]{{24}}/{re.escape(LIBRARY)}"
    r"|objects/[0-9a-f]{32}/model\.obj"
    r"|wheels/[A-Za-z0-9_]{1,40}-[A-Za-z0-9_.+-]{1,100}\.whl"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: what reading an archive that is none, or none of ours, raises
_DAMAGE = (
    tarfile.TarError,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True)
class Listing:
    """The first member of an archive: what it is for, and what is in it."""

    #: key -> text; all of them must be the same here
    made_for: Mapping[str, str]
    #: member -> (bytes, sha256 in hex)
    files: Mapping[str, tuple[int, str]]


def write_archive(
    file: IO[bytes], members: Mapping[str, Path], made_for: Mapping[str, str]
) -> None:
    """A tar archive that depends on its content alone."""
    files = {
        name: {"nbytes": path.stat().st_size, "sha256": file_sha256(path)}
        for name, path in sorted(members.items())
    }
    listing = {"version": ARCHIVE_VERSION, "made_for": dict(made_for), "files": files}
    text = (json.dumps(listing, indent=1) + "\n").encode()
    # Wheels are compressed already: more work would make them no smaller.
    preset: Literal[0, 6] = 0 if any(name.startswith(WHEELS) for name in members) else 6
    with tarfile.open(
        fileobj=file, mode="w:xz", preset=preset, format=tarfile.PAX_FORMAT
    ) as archive:
        archive.addfile(_info(_LISTING, len(text)), io.BytesIO(text))
        for name, path in sorted(members.items()):
            with path.open("rb") as content:
                archive.addfile(_info(name, path.stat().st_size), content)


def _info(name: str, nbytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = nbytes, 0o644
    return info


def unpack(path: Path, folder: Path, here: Mapping[str, str]) -> list[str]:
    """Write the members of an archive below a folder, every byte checked; returns their names."""
    try:
        with tarfile.open(path, mode="r:xz") as archive:
            members = iter(archive)
            listing = _listing(archive, next(members, None))
            _require_made_for(path, listing.made_for, here)
            left = dict(listing.files)
            for member in members:
                expected = left.pop(member.name, None)
                if expected is None or not member.isreg() or member.size != expected[0]:
                    raise ValueError(f"member {member.name[:200]!r} is not as the list says")
                _copy(archive, member, folder / member.name, expected[1])
            if left:
                raise ValueError(f"it ends before {next(iter(left))}")
    except _DAMAGE as error:
        raise damaged(path, str(error)[:300] or type(error).__name__) from error
    return sorted(listing.files)


def _listing(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> Listing:
    if member is None or member.name != _LISTING or not member.isreg():
        raise ValueError(f"its first member is not {_LISTING}")
    if member.size > _MAX_LISTING:
        raise ValueError(f"its list has {member.size:,} bytes")
    tree: dict[str, Any] = json.loads(b"".join(_chunks(archive, member)))
    if tree["version"] != ARCHIVE_VERSION:
        raise ValueError(
            f"version {str(tree['version'])[:40]}; this aotwin reads {ARCHIVE_VERSION}"
        )
    files = {name: (row["nbytes"], row["sha256"]) for name, row in tree["files"].items()}
    for name, (nbytes, digest) in files.items():
        if not MEMBER.fullmatch(name) or type(nbytes) is not int or not _SHA256.fullmatch(digest):
            raise ValueError(f"it lists {name[:200]!r}, which cannot be")
    total = sum(nbytes for nbytes, _ in files.values())
    if len(files) > _MAX_FILES or total > _MAX_NBYTES or min(n for n, _ in files.values()) < 0:
        raise ValueError(f"it lists {len(files):,} files, {total:,} bytes")
    return Listing({str(key): str(value) for key, value in tree["made_for"].items()}, files)


def _require_made_for(path: Path, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    for key, value in here.items():
        found = there.get(key, "")
        if found == value:
            continue
        raise ConfigurationError(
            f"{path.name} was made for another {'cache folder' if key == 'cache' else key}",
            cause=f"for {found[:300] or 'an unknown one'}; here it is {value}",
            next_step=f"Set AOTWIN_CACHE_DIR={found} here, or on the machine that exports: zig "
            "knows its libraries by their path."
            if key == "cache"
            else "Export it again with the same versions of aotwin and ziglang.",
        )


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in _chunks(archive, member):
                digest.update(chunk)
                file.write(chunk)
    if digest.hexdigest() != sha256:
        raise ValueError(f"member {member.name!r} has another sha256 than the list says")


def _chunks(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    content = archive.extractfile(member)
    assert content is not None
    while chunk := content.read(1 << 20):
        yield chunk


def damaged(path: Path, cause: str) -> CheckError:
    return CheckError(
        f"{path.name} is no sound archive of aotwin toolchain export",
        cause=cause,
        next_step="Nothing of it was kept. Fetch it again, or export it again.",
    )
