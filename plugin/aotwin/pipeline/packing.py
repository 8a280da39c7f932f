"""The last step of a wheel: what was made, packed and billed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.storage.results import REMEMBERED
from aotwin.assembly import Job
from aotwin.prebuilt import CheckedModel, shared_libs
from aotwin.progress import note
from aotwin.session import Session
from aotwin.stages.pack import (
    ModelContents,
    PackedFile,
    PackedModel,
    billed_programs,
    license_files,
    linked_components,
    pack_wheel,
    render_sbom,
)
from aotwin.values import SealedDll


@dataclass(frozen=True)
class Made:
    """All models of a wheel, ready to be packed."""

    #: those that were compiled here
    finished: Sequence[tuple[Job, Sequence[SealedDll]]]
    #: files of our own run time that they share -> sha256, hex
    libs: Mapping[str, str]
    #: those that were built elsewhere
    checked: Sequence[CheckedModel]
    #: the wheel with the weights of the former in it; None: they lie in the models' folders
    draft: Draft | None


def pack(made: Made, pure_wheel: Path, wheel_directory: Path, session: Session) -> Path:
    """Pack all models with the project's pure wheel.

    Returns:
        The wheel.

    Raises:
        AotwinError: it cannot be written; `wheel_directory` is left as it was.
    """
    with session.progress.stage("pack") as step:
        wheel = pack_wheel(
            pure_wheel,
            [
                *(_packed(job, dlls) for job, dlls in made.finished),
                *(each.packed for each in made.checked),
            ],
            wheel_directory,
            libs=_packed_libs(made, session),
            licenses=license_files(sysroot=session.sysroot.directory, zig_lib=session.zig.lib_dir),
            wheel_tag=session.toolchain.wheel_tag,
            sbom=_bill(made, session),
            step=step,
            draft=made.draft,
        )
        if made.draft is not None and made.draft.stood:
            note(REMEMBERED)
        return wheel


def _packed(job: Job, dlls: Sequence[SealedDll]) -> PackedModel:
    sealed = {dll.path.name: dll.shipped_sha256 for dll in dlls}
    if not job.blob.shared_from:
        sealed[job.blob.path.name] = job.blob.file_sha256
    sealed |= job.sdk
    # Of the folders in it only the SDK is its own; others are other models' packages.
    names = {path.name for path in job.directory.iterdir() if path.is_file()} | job.sdk.keys()
    package = job.spec.name.replace(".", "/")
    return PackedModel(
        job.spec.name,
        tuple(
            PackedFile(f"{package}/{name}", job.directory / name, sealed.get(name))
            for name in sorted(names)
        ),
    )


def _packed_libs(made: Made, session: Session) -> list[PackedFile]:
    folder = session.libs
    own = [
        PackedFile(f"{folder.name}/{name}", folder / name, digest)
        for name, digest in made.libs.items()
    ]
    return shared_libs([*own, *(file for each in made.checked for file in each.libs)])


def _bill(made: Made, session: Session) -> Callable[[str, int], bytes]:
    """What `pack_wheel` makes the bill of materials with."""
    components = linked_components(
        session.pin,
        sysroot_include=session.sysroot.directory / "include",
        zig_lib=session.zig.lib_dir,
        zig_version=session.zig.version,
    )
    models = [
        ModelContents(
            job.spec.name.replace(".", "/"),
            tuple((dll.path.name, dll.shipped_sha256) for dll in dlls),
            (job.blob.reference, job.blob.file_sha256),
            billed_programs(job.sdk),
            _billed_libs(job, session),
        )
        for job, dlls in made.finished
    ]
    models += [each.contents for each in made.checked]
    torches = [
        *(wrapper.torch_version for job, _ in made.finished for wrapper in job.wrappers.values()),
        *(each.generated_by for each in made.checked),
    ]
    generated_by = next(filter(None, torches), "")
    return lambda metadata, epoch: render_sbom(
        metadata, models, components, generated_by=generated_by, epoch=epoch
    )


def _billed_libs(job: Job, session: Session) -> tuple[tuple[str, str], ...]:
    """The run time that a model is bound to: paths in the wheel, each with its sha256, hex."""
    if job.run_time is None:
        return ()
    digests = sorted(job.run_time.digests.items())
    return tuple((f"{session.libs.name}/{name}", digest) for name, digest in digests)
