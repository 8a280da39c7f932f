"""`aotwin toolchain export` and `import`: what a machine compiles once, in one file.

The archive has zig's libc++ and C run time for the target, as zig's cache holds them, and aotwin's
own run time. Everything in it is listed with its sha256 in its first member, and is checked before
any of it is used.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import (
    replacing,
    storage_errors,
    temporary_folder,
    working_folder,
)
from aotwin.adapters.tools.index import file_sha256
from aotwin.adapters.tools.zig import WARM_UP_SOURCE, WarmUp, Zig, find_zig
from aotwin.adapters.tools.zig_cache import KNOWN_VERSIONS, Stamps, UnknownFormError, stamped
from aotwin.errors import CheckError, ConfigurationError, StorageError, ToolError
from aotwin.progress import Progress
from aotwin.stages.link import runtime_flags
from aotwin.stages.runtime import LIBRARY, build_library
from aotwin.target.toolchain import Toolchain, load_toolchain
from aotwin.version import __version__

ARCHIVE_VERSION = 1
_LISTING = "aotwin-toolchain.json"
_MAX_LISTING = 4 << 20
#: bytes of all members: several times what an archive has
_MAX_NBYTES = 1 << 30
_MAX_FILES = 20_000
_ZIG, _RUN_TIME = "zig/", "runtime/"
#: what a member may be called: nothing else is ever written
_MEMBER = re.compile(
    r"zig/(?:h/[0-9a-f]{32}|[ob]/[0-9a-f]{32}/[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,100})"
    rf"|runtime/aotwin-[0-9a-f]{{24}}/{re.escape(LIBRARY)}"
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


def export_toolchain(path: Path, *, target: str, jobs: int, progress: Progress) -> str:
    """Write an archive of what this machine would compile once for a target.

    zig's part is compiled anew, in a cache of its own, so that nothing else gets into the archive:
    minutes.

    Returns:
        Its sha256, hex.

    Raises:
        ToolError: zig failed.
        StorageError: the archive cannot be written.
    """
    toolchain = load_toolchain(target)
    if not path.parent.is_dir():
        raise StorageError(
            f"{path} cannot be written",
            cause=f"there is no folder {path.parent}",
            next_step="Make it, or choose another place.",
        )
    zig = find_zig()
    _require_known(zig)
    with temporary_folder() as work:
        fresh = replace(zig, cache_dir=work / "cache")
        with progress.stage("C++ run time of the target, compiled anew"):
            (work / "warm_up.cpp").write_text(WARM_UP_SOURCE)
            command = [*runtime_flags(toolchain), "warm_up.cpp", "-o", "warm_up.dll"]
            fresh.run(command, cwd=work, doing="building the target's C++ run time")
        members = {}
        for each in sorted(fresh.cache_dir.rglob("*")):
            name = f"{_ZIG}{each.relative_to(fresh.cache_dir).as_posix()}"
            if each.is_file() and not each.name.startswith("warm_up.") and _MEMBER.fullmatch(name):
                members[name] = each
        with progress.stage("aotwin's run time"):
            # Where it has to be compiled, zig is warm by now.
            library = build_library(toolchain, fresh, jobs=jobs)
        members[f"{_RUN_TIME}{library.parent.name}/{library.name}"] = library
        with progress.stage("pack"), storage_errors(path), replacing(path) as file:
            write_archive(file, members, _made_for(toolchain, zig))
    return file_sha256(path)


def _made_for(toolchain: Toolchain, zig: Zig) -> dict[str, str]:
    """What must be the same where an archive is used: zig's keys hold its lib folder's path."""
    return {
        "aotwin": __version__,
        "target": toolchain.name,
        "flags": " ".join(runtime_flags(toolchain)),
        "zig": zig.version,
        "lib": zig.lib_dir.parent.name,
        "cache": str(zig.lib_dir.parents[2]),
    }


def _require_known(zig: Zig) -> None:
    if not KNOWN_VERSIONS.match(zig.version):
        raise ToolError(
            f"the cache of zig {zig.version} cannot be moved",
            cause="this aotwin knows the form that zig 0.17 gives it",
            next_step="Use ziglang 0.17, or let zig build its run time on each machine.",
        )


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
    with tarfile.open(fileobj=file, mode="w:xz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_info(_LISTING, len(text)), io.BytesIO(text))
        for name, path in sorted(members.items()):
            with path.open("rb") as content:
                archive.addfile(_info(name, path.stat().st_size), content)


def _info(name: str, nbytes: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = nbytes, 0o644
    return info


def import_toolchain(path: Path, *, target: str, sha256: str = "", progress: Progress) -> bool:
    """Lay out an archive of `export_toolchain` in the user cache.

    Args:
        sha256: of the whole archive, hex; "": it is trusted as far as its own list goes.

    Returns:
        Whether zig took what was in it; False: it has built its run time anew.

    Raises:
        CheckError: the archive is damaged, or no such archive; nothing of it is kept.
        ConfigurationError: it was made for another version, target or cache folder.
        StorageError: the user cache cannot be written.
    """
    toolchain = load_toolchain(target)
    zig = find_zig()
    _require_known(zig)
    with working_folder(cache_dir().resolve()) as work:
        with progress.stage(f"unpack {path.name}"):
            _require_digest(path, sha256)
            names = unpack(path, work, _made_for(toolchain, zig))
        with progress.stage("lay out"), storage_errors(zig.cache_dir):
            _lay_out(work, names, zig)
        before = _libraries(zig)
        warm_up = WarmUp(zig, runtime_flags(toolchain))
        with progress.stage("C++ run time of the target"):
            warm_up.start(work)
            warm_up.wait()
    return _libraries(zig) == before


def _require_digest(path: Path, sha256: str) -> None:
    try:
        found = file_sha256(path)
    except OSError as error:
        raise _damaged(path, str(error)) from error
    if sha256 and found != sha256.lower():
        raise _damaged(path, f"its sha256 is {found}, not {sha256[:80]}")


def _libraries(zig: Zig) -> set[Path]:
    return set(zig.cache_dir.glob("o/*/c++.lib"))


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
        raise _damaged(path, str(error)[:300] or type(error).__name__) from error
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
        if not _MEMBER.fullmatch(name) or type(nbytes) is not int or not _SHA256.fullmatch(digest):
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


def _lay_out(work: Path, names: list[str], zig: Zig) -> None:
    """Move what was unpacked to its places: what is compiled first, then zig's lists of it."""
    for folder in sorted({Path(name).parent for name in names if not name.startswith("zig/h/")}):
        if folder.parts[0] == "runtime":
            build_once(cache_dir() / folder, partial(_move_files, work / folder))
            continue
        place = zig.cache_dir / folder.relative_to("zig")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            (work / folder).rename(place)
    stamps = Stamps(zig.lib_dir, zig.cache_dir)
    (zig.cache_dir / "h").mkdir(parents=True, exist_ok=True)
    for name in names:
        if name.startswith("zig/h/"):
            try:
                content = stamped((work / name).read_bytes(), stamps)
            except UnknownFormError:
                continue
            with replacing(zig.cache_dir / "h" / Path(name).name) as file:
                file.write(content)


def _move_files(source: Path, folder: Path) -> None:
    for path in source.iterdir():
        path.replace(folder / path.name)


def _damaged(path: Path, cause: str) -> CheckError:
    return CheckError(
        f"{path.name} is no sound archive of aotwin toolchain export",
        cause=cause,
        next_step="Nothing of it was kept. Fetch it again, or export it again.",
    )
