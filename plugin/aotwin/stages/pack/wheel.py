"""Pack: the project's pure wheel and its built models become one wheel for the target."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.archives.members import Member
from aotwin.adapters.archives.wheel_zip import write_wheel
from aotwin.errors import ConfigurationError, StorageError
from aotwin.progress import Step
from aotwin.reproducible import source_date_epoch
from aotwin.stages.pack.licenses import LICENSES
from aotwin.stages.pack.sbom import SBOM_PATH
from aotwin.version import __version__

#: what deflates badly or is too large to be worth it; everything else is deflated
_STORED_SUFFIXES = frozenset({".dll", ".blob"})


@dataclass(frozen=True)
class PackedFile:
    """One file of a built model on its way into the wheel."""

    #: path in the wheel: "demo/classifier/classifier.dll"
    arcname: str
    #: a file on disk, or the content itself
    source: Path | bytes
    #: hex digest that the bytes in the finished wheel must have, or None
    sha256: str | None = None


@dataclass(frozen=True)
class PackedModel:
    """A built model on its way into the wheel."""

    #: dotted package name
    name: str
    files: tuple[PackedFile, ...]


@dataclass(frozen=True)
class _WheelName:
    """The parts of a wheel's file name that stay."""

    distribution: str
    version: str
    #: "" for none
    build: str

    @classmethod
    def parse(cls, filename: str) -> _WheelName:
        parts = filename.removesuffix(".whl").split("-")
        if not filename.endswith(".whl") or len(parts) not in (5, 6):
            raise _not_pure(filename, "its name is not that of a wheel")
        return cls(parts[0], parts[1], parts[2] if len(parts) == 6 else "")

    def with_tag(self, tag: str) -> str:
        parts = (self.distribution, self.version, self.build, tag)
        return "-".join(part for part in parts if part) + ".whl"


def pack_wheel(
    pure_wheel: Path,
    models: Sequence[PackedModel],
    output_dir: Path,
    *,
    wheel_tag: str,
    sbom: Callable[[str, int], bytes] | None = None,
    libs: Sequence[PackedFile] = (),
    licenses: Mapping[str, bytes] | None = None,
    step: Step | None = None,
    draft: Draft | None = None,
) -> Path:
    """Write `<name>-<version>-py3-none-<wheel_tag>.whl`.

    Args:
        pure_wheel: what setuptools made of the project.
        models: their files, with the digests that were sealed when they were checked.
        output_dir: where the wheel goes; a wheel of the same name is replaced.
        wheel_tag: platform tag of the target, "win_amd64".
        sbom: makes the bill of materials from the project's METADATA and the time of all members
            in seconds since 1970; None for none.
        libs: DLLs that models share.
        licenses: of what is linked into the models: file name -> text.
        step: gets to know how many bytes are packed.
        draft: the wheel as it is so far: what of the models is in it is not among `models`.

    Returns:
        Path of the wheel.

    Raises:
        CheckError: two files of one name, a name that Windows cannot have, or bytes in the
            finished wheel that do not hash to their sealed digest. `output_dir` is left as it was.
        ConfigurationError: the project's wheel is for this machine, or SOURCE_DATE_EPOCH is
            malformed.
        StorageError: the disk is full, or a file cannot be read.
    """
    epoch = source_date_epoch()
    name = _WheelName.parse(pure_wheel.name)
    tag = f"py3-none-{wheel_tag}"
    path = output_dir / wheel_name(pure_wheel, wheel_tag)
    with _open(pure_wheel) as archive:
        dist_info = _dist_info(archive, pure_wheel.name)
        _require_pure(archive, dist_info, pure_wheel.name)
        members = [
            *_project_members(archive, dist_info, models),
            *_file_members(file for model in models for file in model.files),
            *_file_members(libs),
            *(
                Member.from_bytes(f"{dist_info}/{LICENSES}/{file}", text)
                for file, text in sorted((licenses or {}).items())
            ),
            Member.from_bytes(f"{dist_info}/WHEEL", _wheel_file(tag, name.build)),
        ]
        if sbom is not None:
            metadata = archive.read(f"{dist_info}/METADATA").decode("utf-8", "replace")
            members.append(Member.from_bytes(f"{dist_info}/{SBOM_PATH}", sbom(metadata, epoch)))
        write_wheel(path, members, dist_info=dist_info, epoch=epoch, step=step, draft=draft)
    return path


def wheel_name(pure_wheel: Path, wheel_tag: str) -> str:
    """The file name of the target's wheel.

    Raises:
        ConfigurationError: the project's is not named like a wheel.
    """
    return _WheelName.parse(pure_wheel.name).with_tag(f"py3-none-{wheel_tag}")


def distribution_of(pure_wheel: Path) -> str:
    """The project's name as wheels spell it: "sentence_embeddings".

    Raises:
        ConfigurationError: it is not named like a wheel.
    """
    return _WheelName.parse(pure_wheel.name).distribution


def check_pure(pure_wheel: Path) -> None:
    """Refuse a wheel with extension modules, before minutes go into the models.

    Raises:
        ConfigurationError: it is for this machine only.
        StorageError: it cannot be read.
    """
    with _open(pure_wheel) as archive:
        _require_pure(archive, _dist_info(archive, pure_wheel.name), pure_wheel.name)


def _require_pure(archive: zipfile.ZipFile, dist_info: str, filename: str) -> None:
    """Refuse an open wheel that is not for every platform.

    Raises:
        ConfigurationError: WHEEL or a tag says so.
    """
    lines = archive.read(f"{dist_info}/WHEEL").decode("utf-8", "replace").splitlines()
    fields = [
        (key.strip().lower(), value.strip()) for key, _, value in (x.partition(":") for x in lines)
    ]
    if ("root-is-purelib", "true") not in fields:
        raise _not_pure(filename, "its WHEEL file does not say Root-Is-Purelib: true")
    for key, value in fields:
        if key == "tag" and not value.endswith("-none-any"):
            raise _not_pure(filename, f"it is built for {value}")


def add_top_levels(top_level: bytes, models: Iterable[str]) -> bytes:
    """setuptools' top_level.txt with the first parts of the models' names added, sorted."""
    names = {line.strip() for line in top_level.decode().splitlines() if line.strip()}
    names |= {model.partition(".")[0] for model in models}
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def _project_members(
    archive: zipfile.ZipFile, dist_info: str, models: Sequence[PackedModel]
) -> list[Member]:
    """Everything of the project's wheel but the two files that describe the wheel itself."""
    replaced = {f"{dist_info}/WHEEL", f"{dist_info}/RECORD"}
    top_level = f"{dist_info}/top_level.txt"
    members = []
    for info in archive.infolist():
        if info.is_dir() or info.filename in replaced:
            continue
        if info.filename == top_level:
            names = add_top_levels(archive.read(info), (model.name for model in models))
            members.append(Member.from_bytes(top_level, names))
        else:
            members.append(_from_zip(archive, info))
    return members


def _from_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    def reopen() -> IO[bytes]:
        return archive.open(info)

    return Member(
        info.filename,
        reopen,
        info.file_size,
        stored=_is_stored(info.filename),
        # Only the owner's bit is looked at: the others depend on the umask of the checkout.
        executable=bool((info.external_attr >> 16) & 0o100),
    )


def _file_members(files: Iterable[PackedFile]) -> list[Member]:
    return [
        Member.from_bytes(
            file.arcname, file.source, stored=_is_stored(file.arcname), sha256=file.sha256
        )
        if isinstance(file.source, bytes)
        else Member.from_file(
            file.arcname,
            file.source,
            stored=_is_stored(file.arcname),
            sha256=file.sha256,
            # Gigabytes of weights are hashed on the way into the wheel, and not once more.
            reread=not file.arcname.endswith(".blob"),
        )
        for file in files
    ]


def _is_stored(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _STORED_SUFFIXES


def _wheel_file(tag: str, build: str) -> bytes:
    lines = [
        "Wheel-Version: 1.0",
        f"Generator: aotwin {__version__}",
        "Root-Is-Purelib: false",
        f"Tag: {tag}",
        *([f"Build: {build}"] if build else []),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _open(wheel: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(wheel)
    except (OSError, zipfile.BadZipFile) as error:
        raise StorageError(
            f"the project's wheel {wheel} cannot be read",
            cause=str(error),
            next_step="Build again, and leave the build's folders alone meanwhile.",
        ) from error


def _dist_info(archive: zipfile.ZipFile, filename: str) -> str:
    found = sorted(
        {
            name.partition("/")[0]
            for name in archive.namelist()
            if name.partition("/")[0].endswith(".dist-info") and name.endswith("/WHEEL")
        }
    )
    if len(found) != 1:
        raise _not_pure(filename, f"it has {len(found)} .dist-info folders with a WHEEL file")
    return found[0]


def _not_pure(filename: str, cause: str) -> ConfigurationError:
    return ConfigurationError(
        f"the project's own wheel {filename} is not a pure Python wheel",
        cause=cause,
        next_step="Leave extension modules out (ext_modules): what setuptools compiles here runs "
        "on this machine, not on the target.",
    )
