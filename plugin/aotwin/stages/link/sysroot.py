"""Stage sysroot: headers, import libraries and DLLs of the target, from its own torch wheel.

The Windows wheel of torch holds everything that a model is compiled and linked against. It is
fetched once per machine, checked against the pinned sha256, and laid out in the user cache:

    include/   torch's headers and omp.h
    lib/       torch's DLLs, sleef.lib without its linker directives
    import/    import libraries made from the DLLs' own export tables
    exports/   one text file per DLL: the names that it exports
    interface.cpp  what AOTInductor of this torch puts in front of each model
"""

from __future__ import annotations

import fnmatch
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from aotwin.adapters.pe.exports import exported_names
from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import working_folder
from aotwin.adapters.tools.index import fetch, offline_folder
from aotwin.adapters.tools.zig import Zig
from aotwin.errors import SysrootError
from aotwin.progress import Step
from aotwin.target.toolchain import SysrootPin, Toolchain

#: layout of the folder; raise it when the layout changes, so that old caches are left alone
_LAYOUT = 5
#: of torch's dist-info folder, what belongs to what is linked into models -> where it goes
_LICENSES = {
    "METADATA": PurePosixPath("licenses/torch/METADATA"),
    "licenses/LICENSE": PurePosixPath("licenses/torch/LICENSE"),
    # until torch 2.12, with those of all that is bundled in it
    "LICENSE": PurePosixPath("licenses/torch/LICENSE"),
    "licenses/third_party/sleef/LICENSE.txt": PurePosixPath("licenses/sleef/LICENSE"),
}
#: in the wheel, for AOTInductor's sake, and here
_GENERATED_FIRST = PurePosixPath("torch/_inductor/codegen/aoti_runtime/interface.cpp")
_INTERFACE = "interface.cpp"
#: Linker directives of MSVC's objects (`.drectve` sections) that have no place in a model's DLL:
#: sleef.lib would export its own names from it, and asks for MSVC's libraries, of which it needs
#: nothing that is not in the run-time sources or in UCRT.
_UNWANTED_DIRECTIVE = re.compile(rb"/(?:EXPORT:[^\s\0]+|DEFAULTLIB:\"[^\"\0]*\")", re.IGNORECASE)


@dataclass(frozen=True)
class Sysroot:
    """A sysroot in the user cache."""

    directory: Path
    torch_version: str
    #: sha256 of the torch wheel: what was built against
    torch_sha256: str

    @property
    def include_dirs(self) -> tuple[Path, ...]:
        """Folders for `-isystem`, in order."""
        include = self.directory / "include"
        return (include, include / "torch/csrc/api/include")

    @property
    def lib_dir(self) -> Path:
        """torch's DLLs, sleef.lib."""
        return self.directory / "lib"

    @property
    def import_dir(self) -> Path:
        """Import libraries."""
        return self.directory / "import"

    @cached_property
    def interface(self) -> str:
        """What AOTInductor of this torch puts in front of each model; "" where it is not told."""
        path = self.directory / _INTERFACE
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @cached_property
    def exports(self) -> dict[str, frozenset[str]]:
        """DLL name -> the names that it exports."""
        return {
            path.stem: frozenset(path.read_text(encoding="utf-8").splitlines())
            for path in sorted((self.directory / "exports").glob("*.txt"))
        }


def prepare_sysroot(
    toolchain: Toolchain,
    pin: SysrootPin,
    zig: Zig,
    *,
    remark: Callable[[str], None],
    step: Step | None = None,
    local: Path | None = None,
) -> Sysroot:
    """The sysroot of a target, from the user cache or else fetched and laid out there.

    Args:
        toolchain: the target.
        pin: which wheels make the sysroot.
        zig: makes the import libraries.
        remark: tells the user about a wait.
        step: gets to know how far a download is.
        local: a folder with the wheels; by default that of `AOTWIN_SYSROOT`, or pip downloads them.

    Raises:
        SysrootError: a wheel cannot be had, is not the pinned one, or lacks what is expected.
    """
    directory = _directory(toolchain, pin)
    if not directory.is_dir():
        megabytes = (pin.torch.nbytes + pin.openmp.nbytes) >> 20
        if local is None:
            remark(
                "fetching the sysroot once for this machine: torch "
                f"{pin.torch_version} for Windows, {megabytes} MB"
            )
        place = local or offline_folder()
        build_once(
            directory,
            lambda folder: _lay_out(folder, toolchain, pin, zig, step=step, local=place),
        )
    return Sysroot(directory, pin.torch_version, pin.torch.sha256)


def installed_sysroots(toolchain: Toolchain) -> dict[str, Sysroot]:
    """The sysroots of a target that are in the cache already: torch version -> sysroot."""
    pins = [toolchain.sysroot(version) for version in toolchain.torch_versions]
    return {
        pin.torch_version: Sysroot(directory, pin.torch_version, pin.torch.sha256)
        for pin in pins
        if (directory := _directory(toolchain, pin)).is_dir()
    }


def _directory(toolchain: Toolchain, pin: SysrootPin) -> Path:
    name = f"torch-{pin.torch_version}-{toolchain.name}-{pin.torch.sha256[:12]}-{_LAYOUT}"
    return cache_dir() / "sysroots" / name


def _lay_out(
    folder: Path,
    toolchain: Toolchain,
    pin: SysrootPin,
    zig: Zig,
    *,
    step: Step | None,
    local: Path | None,
) -> None:
    with working_folder(folder.parent) as downloads:
        torch_wheel, openmp_wheel = fetch_wheels(pin, downloads, local=local, step=step)
        if step is not None:
            step.expect(None, "")
        _extract(torch_wheel, folder, _torch_place)
        _extract(openmp_wheel, folder, _openmp_place)
    (folder / "exports").mkdir()
    (folder / "import").mkdir()
    for dll in sorted((folder / "lib").glob("*.dll")):
        names = sorted(exported_names(dll))
        (folder / "exports" / f"{dll.name}.txt").write_text("\n".join(names), encoding="utf-8")
        patterns = pin.import_libraries.get(dll.name, ())
        if patterns:
            _import_library(dll.name, _matching(names, patterns), folder / "import", zig, toolchain)
    sleef = folder / "lib" / "sleef.lib"
    sleef.write_bytes(without_directives(sleef.read_bytes()))


def fetch_wheels(
    pin: SysrootPin, directory: Path, *, local: Path | None, step: Step | None = None
) -> tuple[Path, Path]:
    """The wheels that a sysroot is made from, as pinned: torch's, and the one with omp.h.

    Args:
        directory: where they are downloaded to.
        local: a folder that has them, so that nothing is downloaded.
        step: gets to know how far a download is.

    Raises:
        SysrootError: one of them cannot be had, or is not the pinned one.
    """
    torch_wheel = fetch(pin.torch, directory, local=local, step=step)
    return torch_wheel, fetch(pin.openmp, directory, local=local, step=step)


def without_directives(library: bytes) -> bytes:
    """A static library of MSVC whose objects export nothing and ask for no library.

    Args:
        library: the archive; directives are blanked, so that no offset in it changes.
    """
    return _UNWANTED_DIRECTIVE.sub(lambda match: b" " * len(match[0]), library)


def _torch_place(member: PurePosixPath) -> PurePosixPath | None:
    """Where a member of the torch wheel goes, or None."""
    parts = member.parts
    if parts[:2] == ("torch", "include"):
        return PurePosixPath(*parts[1:])
    if parts[:2] == ("torch", "lib") and len(parts) == 3:
        wanted = member.suffix == ".dll" or member.name == "sleef.lib"
        return PurePosixPath(*parts[1:]) if wanted else None
    if member == _GENERATED_FIRST:
        return PurePosixPath(_INTERFACE)
    if parts[0].endswith(".dist-info"):
        return _LICENSES.get(PurePosixPath(*parts[1:]).as_posix())
    return None


def _openmp_place(member: PurePosixPath) -> PurePosixPath | None:
    """omp.h, the only thing that torch's wheel does not bring."""
    return PurePosixPath("include/omp.h") if member.name == "omp.h" else None


def _extract(
    wheel: Path, folder: Path, place: Callable[[PurePosixPath], PurePosixPath | None]
) -> None:
    # The wheel's hash is pinned, so its member names are known ones; `place` rebuilds each path
    # from fixed parts all the same and never lets ".." through.
    found = 0
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            member = PurePosixPath(info.filename)
            target = place(member)
            if info.is_dir() or target is None or ".." in target.parts:
                continue
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            found += 1
    if not found:
        raise SysrootError(
            f"{wheel.name} holds none of the expected headers and libraries",
            cause="its members lie elsewhere than in torch's and Intel's wheels",
            next_step="Report it: the pinned sysroot and its layout do not fit.",
        )


def _matching(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    patterns = tuple(patterns)
    return [name for name in names if any(fnmatch.fnmatchcase(name, each) for each in patterns)]


def _import_library(
    dll: str, names: list[str], folder: Path, zig: Zig, toolchain: Toolchain
) -> None:
    if not names:
        raise SysrootError(
            f"{dll} of the sysroot exports none of the expected names",
            cause="its pin names patterns that match nothing",
            next_step="Report it: the pinned sysroot and its import libraries do not fit.",
        )
    stem = dll.removesuffix(".dll")
    definition = folder / f"{stem}.def"
    definition.write_text(
        f"LIBRARY {dll}\nEXPORTS\n" + "".join(f"    {name}\n" for name in names), encoding="utf-8"
    )
    zig.run(
        import_library_command(definition.name, f"lib{stem}.a", toolchain.triple),
        cwd=folder,
        doing=f"making the import library of {dll}",
    )


def import_library_command(definition: str, library: str, triple: str) -> list[str]:
    """The `zig dlltool` call that turns a module definition file into an import library."""
    machine = {"x86_64": "i386:x86-64", "aarch64": "arm64"}[triple.partition("-")[0]]
    return ["dlltool", "-m", machine, "-d", definition, "-l", library]
