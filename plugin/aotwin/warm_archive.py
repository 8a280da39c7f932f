"""`aotwin toolchain export` and `import`: what a machine compiles once, in one file.

The archive has zig's libc++ and C run time for the target, as zig's cache holds them, aotwin's own
run time, what all models of a torch share, and, where it is asked for, what machines fetch once:
the wheels of sysroots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import (
    replacing,
    storage_errors,
    temporary_folder,
    working_folder,
)
from aotwin.adapters.tools.index import file_sha256, offline_folder
from aotwin.adapters.tools.zig import WARM_UP_SOURCE, WarmUp, Zig, find_zig
from aotwin.adapters.tools.zig_cache import KNOWN_VERSIONS, Stamps, UnknownFormError, stamped
from aotwin.errors import StorageError, ToolError
from aotwin.progress import Progress
from aotwin.stages.link import (
    expected_unit,
    fetch_wheels,
    installed_sysroots,
    prepare_sysroot,
    runtime_flags,
)
from aotwin.stages.runtime import build_library
from aotwin.target.toolchain import Toolchain, load_toolchain
from aotwin.toolchain_archive import (
    MEMBER,
    RUN_TIME,
    SHARED,
    WHEELS,
    ZIG,
    damaged,
    unpack,
    write_archive,
)
from aotwin.version import __version__


def export_toolchain(
    path: Path, *, target: str, jobs: int, progress: Progress, torches: Sequence[str] = ()
) -> str:
    """Write an archive of what this machine would compile once for a target.

    zig's part is compiled anew, in a cache of its own, so that nothing else gets into the archive:
    minutes.

    Args:
        torches: versions whose sysroots come with it: the wheels, as they are pinned.

    Returns:
        Its sha256, hex.

    Raises:
        ToolError: zig failed.
        ConfigurationError: there is no pinned sysroot for a torch.
        SysrootError: its wheels cannot be had.
        StorageError: the archive cannot be written.
    """
    toolchain = load_toolchain(target)
    pins = [toolchain.sysroot(version) for version in torches]
    if not path.parent.is_dir():
        raise StorageError(
            f"{path} cannot be written",
            cause=f"there is no folder {path.parent}",
            next_step="Make it, or choose another place.",
        )
    zig = find_zig()
    _require_known(zig)
    with temporary_folder() as work:
        members: dict[str, Path] = {}
        for pin in pins:
            with progress.stage(f"sysroot of torch {pin.torch_version}") as step:
                wheels = fetch_wheels(pin, work, local=offline_folder(), step=step)
            members |= {f"{WHEELS}{wheel.name}": wheel for wheel in wheels}
        fresh = replace(zig, cache_dir=work / "cache")
        with progress.stage("C++ run time of the target, compiled anew"):
            (work / "warm_up.cpp").write_text(WARM_UP_SOURCE)
            command = [*runtime_flags(toolchain), "warm_up.cpp", "-o", "warm_up.dll"]
            fresh.run(command, cwd=work, doing="building the target's C++ run time")
        for each in sorted(fresh.cache_dir.rglob("*")):
            name = f"{ZIG}{each.relative_to(fresh.cache_dir).as_posix()}"
            if each.is_file() and not each.name.startswith("warm_up.") and MEMBER.fullmatch(name):
                members[name] = each
        with progress.stage("aotwin's run time"):
            # Where it has to be compiled, zig is warm by now.
            library = build_library(toolchain, fresh, jobs=jobs)
        members[f"{RUN_TIME}{library.parent.name}/{library.name}"] = library
        members |= _shared_units(toolchain, zig, torches, work, progress)
        with progress.stage("pack"), storage_errors(path), replacing(path) as file:
            write_archive(file, members, _made_for(toolchain, zig))
    return file_sha256(path)


def _shared_units(
    toolchain: Toolchain, zig: Zig, torches: Sequence[str], wheels: Path, progress: Progress
) -> dict[str, Path]:
    """What models of these torches share, compiled; of others, what this machine has compiled."""
    sysroots = installed_sysroots(toolchain)
    for version in torches:
        pin = toolchain.sysroot(version)
        sysroots[version] = prepare_sysroot(
            toolchain, pin, zig, remark=progress.remark, local=wheels
        )
    members: dict[str, Path] = {}
    for version, sysroot in sysroots.items():
        for cpu in toolchain.cpus.values():
            unit = expected_unit(toolchain, cpu, sysroot, zig)
            if unit is None:
                continue
            if version in torches:
                with progress.stage(f"what models of torch {version} share for {cpu.name}"):
                    unit.compiled()
            if unit.object.exists():
                members[f"{SHARED}{unit.object.parent.name}/{unit.object.name}"] = unit.object
    return members


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


def import_toolchain(path: Path, *, target: str, sha256: str = "", progress: Progress) -> bool:
    """Lay out an archive of `export_toolchain` in the user cache.

    Args:
        sha256: of the whole archive, hex; "": it is trusted as far as its own list goes.

    Returns:
        Whether zig took what was in it; False: it has built its run time anew.

    Raises:
        CheckError: the archive is damaged, or no such archive; nothing of it is kept.
        ConfigurationError: it was made for another version, target or cache folder.
        SysrootError: a wheel in it is not the pinned one.
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
            _lay_out_sysroots(work / WHEELS, toolchain, zig, progress)
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
        raise damaged(path, str(error)) from error
    if sha256 and found != sha256.lower():
        raise damaged(path, f"its sha256 is {found}, not {sha256[:80]}")


def _libraries(zig: Zig) -> set[Path]:
    return set(zig.cache_dir.glob("o/*/c++.lib"))


def _lay_out(work: Path, names: list[str], zig: Zig) -> None:
    """Move what was unpacked to its places: what is compiled first, then zig's lists of it."""
    compiled = [name for name in names if not name.startswith(("zig/h/", WHEELS))]
    for folder in sorted({Path(name).parent for name in compiled}):
        if f"{folder.parts[0]}/" in (RUN_TIME, SHARED):
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


def _lay_out_sysroots(wheels: Path, toolchain: Toolchain, zig: Zig, progress: Progress) -> None:
    """The sysroots whose wheels came along: they count as pinned, whatever the archive says."""
    for version in toolchain.torch_versions:
        pin = toolchain.sysroot(version)
        if all((wheels / each.filename).is_file() for each in (pin.torch, pin.openmp)):
            prepare_sysroot(toolchain, pin, zig, remark=progress.remark, local=wheels)


def _move_files(source: Path, folder: Path) -> None:
    for path in source.iterdir():
        path.replace(folder / path.name)
