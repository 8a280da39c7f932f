"""All models of a project, built and packed with its pure wheel."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.archives.standing_wheel import standing_wheel
from aotwin.adapters.storage.files import storage_errors, working_folder
from aotwin.adapters.tools.index import file_sha256
from aotwin.assembly import finish, start
from aotwin.bindings import write_libs
from aotwin.blobs import Blobs
from aotwin.configuration.settings import Settings
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import Manifest
from aotwin.generation import generated
from aotwin.outcome import outcome, read_manifest
from aotwin.pipeline.packing import Made, pack
from aotwin.pipeline.sources import Sources, open_sources
from aotwin.prebuilt import take_prebuilt
from aotwin.prebuilt_weights import SharedWeights
from aotwin.progress import Progress
from aotwin.reporting import require_libraries, write_report, write_timings
from aotwin.reproducible import source_date_epoch
from aotwin.session import Session, open_session
from aotwin.stages.pack import check_pure, distribution_of, wheel_name
from aotwin.stages.sign import Signer, open_signer
from aotwin.target.toolchain import load_toolchain


def build_wheel(
    settings: Settings,
    pure_wheel: Path,
    wheel_directory: Path,
    *,
    progress: Progress | None = None,
) -> str:
    """Build all models of a project and pack them with its pure wheel.

    Args:
        settings: the project's settings, with a target.
        pure_wheel: what setuptools built.
        wheel_directory: where the wheel goes.

    Returns:
        The wheel's file name.

    Raises:
        AotwinError: whatever a user can cause; `wheel_directory` is left as it was.
    """
    progress = progress or Progress(quiet=settings.quiet)
    # The hook calls this with a target only; without one this is the message.
    toolchain = load_toolchain(settings.target or "none")
    check_pure(pure_wheel)
    if settings.report:
        require_libraries()
    signer = _signer(settings, progress)
    sources = open_sources(settings, toolchain)
    final = wheel_directory / wheel_name(pure_wheel, toolchain.wheel_tag)
    with working_folder(wheel_directory) as work, _draft(settings, work, final) as draft:
        with open_session(
            toolchain,
            sources.torch_version,
            work,
            progress=progress,
            jobs=settings.jobs,
            check=settings.check,
            libs=work / "models" / f"{distribution_of(pure_wheel)}.libs",
            own_run_time=any(spec.runtime != "torch" for spec, _ in sources.compiled),
            compiles=bool(sources.compiled),
            levels=dict.fromkeys(cpu for spec, _ in sources.compiled for cpu in spec.cpu),
            signer=signer,
        ) as session:
            made = _make(sources, work, Blobs(progress, draft), session)
        manifests = [
            *(read_manifest(job.directory / MANIFEST_NAME) for job, _ in made.finished),
            *(each.manifest for each in sources.prebuilt),
        ]
        wheel = pack(made, pure_wheel, wheel_directory, session)
        sha256 = file_sha256(wheel) if draft is None else draft.leave()
    progress.remark(f"{wheel.name}: {wheel.stat().st_size:,} bytes, sha256 {sha256}")
    _tell(wheel, manifests, settings, progress)
    return wheel.name


def _signer(settings: Settings, progress: Progress) -> Signer | None:
    """What the project's models are signed with; None where none is."""
    signing = {spec.name: spec.sign for spec in settings.models if spec.sign is not None}
    if not signing:
        return None
    with progress.stage("trial signature"):
        return open_signer(signing)


@contextmanager
def _draft(settings: Settings, work: Path, final: Path) -> Iterator[Draft | None]:
    """The wheel, begun for the weights; None where models are opened at the build, in folders."""
    if settings.check != "static":
        yield None
        return
    path, epoch = work / "wheel", source_date_epoch()
    with storage_errors(path):
        standing = standing_wheel(final)
        draft = Draft(path.open("x+b"), path, epoch, wheel=final, standing=standing)
    try:
        yield draft
    finally:
        draft.close()


def _make(sources: Sources, work: Path, blobs: Blobs, session: Session) -> Made:
    """All models, compiled or taken, checked and, where the project asks for it, proven."""
    with generated(sources.compiled, session) as models:
        jobs = [
            start(each, work.joinpath("models", *each.spec.name.split(".")), blobs, session)
            for each in models
        ]
    finished = [(job, finish(job, session)) for job in jobs]
    libs = write_libs([job.run_time for job in jobs], session)
    if session.check == "run":
        # It needs numpy, which no other check does.
        from aotwin.proving import prove

        prove(finished, session)
    weights = SharedWeights(jobs)
    checked = [take_prebuilt(each, weights, work, session) for each in sources.prebuilt]
    return Made(finished, libs, checked, blobs.draft)


def _tell(
    wheel: Path, manifests: Sequence[Manifest], settings: Settings, progress: Progress
) -> None:
    """What the project wants to have beside the wheel, and the last words of the build."""
    if settings.timings is not None:
        write_timings(wheel.parent / settings.timings, progress)
    if settings.report:
        with progress.stage("report"):
            stages, total = tuple(progress.stages), time.monotonic() - progress.began
            write_report(wheel, wheel.with_suffix(".html"), stages=stages, total=total)
    progress.result(
        outcome(
            wheel.name,
            wheel.stat().st_size,
            manifests,
            f"py -m pip install {wheel.name}, on Windows",
        )
    )
