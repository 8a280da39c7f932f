"""The one place that strings the stages together: generate, compile, link, weights, check, pack."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from aotwin.adapters.storage.files import (
    replacing,
    storage_errors,
    temporary_folder,
    working_folder,
)
from aotwin.adapters.tools.index import file_sha256
from aotwin.assembly import Job, finish, share_blobs, start
from aotwin.bindings import write_libs
from aotwin.configuration.checkers import is_program_reference
from aotwin.errors import ConfigurationError, StorageError
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.outcome import outcome, read_manifest
from aotwin.prebuilt import CheckedModel, open_prebuilt, shared_libs, take_prebuilt
from aotwin.progress import Progress, render_timings
from aotwin.reporting import require_libraries, write_report
from aotwin.session import Session, open_session, run_time_of
from aotwin.stages.generate import open_source
from aotwin.stages.pack import (
    ModelContents,
    PackedFile,
    PackedModel,
    billed_programs,
    check_pure,
    distribution_of,
    license_files,
    linked_components,
    pack_wheel,
    render_sbom,
    write_pt2,
)
from aotwin.stages.runtime import LIBS_FOLDER
from aotwin.stages.sign import open_signer
from aotwin.target.toolchain import load_toolchain
from aotwin.termination import undisturbed
from aotwin.values import BuiltModel, ModelSpec, SealedDll

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from aotwin.configuration.settings import Settings

    #: what `build_model` takes to prove a model with
    Proof: TypeAlias = str | os.PathLike[str] | Iterable[Any] | Callable[[], Iterable[Any]] | None


def build_model(
    source: ExportedProgram | str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    name: str,
    target: str = "windows-x86_64",
    cpu: Sequence[str] = ("x86-64-v3",),
    inductor: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    check: str = "static",
    runtime: str = "auto",
    torch: str = "",
    proof: Proof = None,
    proof_tolerance: tuple[float, float] | None = None,
    proof_data: bool | None = None,
) -> BuiltModel:
    """Build one model into a folder that any host program on Windows can load.

    Args:
        source: an exported program, a file saved with `torch.export.save`, or a ready wrapper
            (what AOTInductor wrote with `package_cpp_only`, a `.pt2` or a folder).
        output_dir: where the package goes: `demo.classifier` becomes `output_dir/demo/classifier`.
            A model built there before is replaced; anything else is left alone.
        name: dotted package name.
        target: a target's name or alias.
        cpu: CPU levels; one DLL each.
        inductor: settings for Inductor.
        progress: where to report stages; nowhere by default.
        check: "static"; "wine" to load the DLL in Wine as well; "run" to run it there and to
            compare its results with those of the program, run eagerly here.
        runtime: "own" (no torch on Windows), "torch", or "auto": own where it has every operator.
        torch: the version that generated a ready wrapper, where the wrapper does not tell.
        proof: for check="run", calls of the model: pairs (args, kwargs), "module:attribute" of such
            a list, or an `.npz` for a ready wrapper; by default the program's example inputs.
        proof_tolerance: (rtol, atol) that its results may differ by; by default by dtype and
            rounding.
        proof_data: whether the package holds inputs and expected results; by default where they
            are small.

    Returns:
        The folder and the files in it.

    Raises:
        AotwinError: whatever a user can cause, see `aotwin.errors`.
    """
    from aotwin.configuration.checkers import (
        CHECKS,
        check_cpus,
        check_model_name,
        check_runtime,
        one_of,
        tolerance,
        torch_version,
    )

    progress = progress or Progress(quiet=True)
    toolchain = load_toolchain(target)
    check_model_name(name, "name")
    check_cpus(tuple(cpu), target, "cpu")
    final = Path(output_dir).absolute().joinpath(*name.split("."))
    _require_replaceable(final)
    check_runtime(runtime, "runtime")
    one_of(*CHECKS)(check, "check")
    if proof_tolerance is not None:
        rtol, atol = proof_tolerance
        tolerance({"rtol": rtol, "atol": atol}, "proof_tolerance")
    if torch:
        torch_version(torch, "torch")
    spec = ModelSpec(
        name,
        None,
        None,
        tuple(cpu),
        dict(inductor or {}),
        runtime=runtime,
        torch=torch,
        proof=_named_proof(proof),
        proof_tolerance=proof_tolerance,
        proof_data=proof_data,
    )
    generator = open_source(source, spec, Path.cwd(), toolchain)
    with working_folder(final.parent) as work:
        with open_session(
            toolchain,
            generator.torch_version,
            work,
            progress=progress,
            jobs=2,
            check=check,
            libs=work / "model" / LIBS_FOLDER,
            own_run_time=runtime != "torch",
        ) as session:
            job = start(spec, generator, work / "model", session)
            dlls = finish(job, session)
            write_libs([job.run_time], session)
            _prove([(job, dlls)], session)
        _replace_directory(work / "model", final)
    return BuiltModel(
        directory=final,
        dlls={dll.cpu: final / dll.path.name for dll in dlls},
        blob=final / job.blob.path.name,
        manifest=final / MANIFEST_NAME,
    )


def build_pt2(
    source: ExportedProgram | str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    name: str,
    target: str = "windows-x86_64",
    cpu: str = "x86-64-v3",
    inductor: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    check: str = "static",
    torch: str = "",
    proof: Proof = None,
) -> Path:
    """Build one model into a `.pt2` for torch's own Windows loader.

    Args:
        output_dir: where `<last part of name>.pt2` goes; a file of that name is replaced.
        cpu: one CPU level.

    The other arguments, and errors, are those of `build_model`.

    Returns:
        The archive.
    """
    path = Path(output_dir).absolute() / f"{name.rpartition('.')[2]}.pt2"
    with working_folder(path.parent) as folder:
        built = build_model(
            source,
            folder,
            name=name,
            target=target,
            cpu=(cpu,),
            inductor=inductor,
            progress=progress,
            check=check,
            # torch's own loader hands torch's tensors to the DLL.
            runtime="torch",
            torch=torch,
            proof=proof,
        )
        write_pt2(built.directory, path)
    return path


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
    signing = {spec.name: spec.sign for spec in settings.models if spec.sign is not None}
    signer = None
    if signing:
        with progress.stage("trial signature"):
            signer = open_signer(signing)
    compiled = [spec for spec in settings.models if spec.prebuilt is None]
    generators = [
        open_source(spec.wrapper or spec.program, spec, settings.project_dir, toolchain)
        for spec in compiled
    ]
    prebuilt = [open_prebuilt(spec, toolchain) for spec in settings.models if spec.prebuilt]
    torch_version = _require_one_torch(
        {
            **{
                spec.name: each.torch_version
                for spec, each in zip(compiled, generators, strict=True)
            },
            **{each.spec.name: each.manifest.torch_version for each in prebuilt},
        }
    )
    with working_folder(wheel_directory) as work:
        with open_session(
            toolchain,
            torch_version,
            work,
            progress=progress,
            jobs=settings.jobs,
            check=settings.check,
            libs=work / "models" / f"{distribution_of(pure_wheel)}.libs",
            own_run_time=any(spec.runtime != "torch" for spec in compiled),
            compiles=bool(compiled),
            signer=signer,
        ) as session:
            jobs = [
                start(spec, generator, work.joinpath("models", *spec.name.split(".")), session)
                for spec, generator in zip(compiled, generators, strict=True)
            ]
            share_blobs(jobs, progress)
            finished = [(job, finish(job, session)) for job in jobs]
            libs = write_libs([job.run_time for job in jobs], session)
            _prove(finished, session)
            checked = [take_prebuilt(each, work, session) for each in prebuilt]
        manifests = [
            *(read_manifest(job.directory / MANIFEST_NAME) for job in jobs),
            *(each.manifest for each in prebuilt),
        ]
        with progress.stage("pack") as step:
            wheel = pack_wheel(
                pure_wheel,
                [
                    *(_packed(job, dlls) for job, dlls in finished),
                    *(each.packed for each in checked),
                ],
                wheel_directory,
                libs=shared_libs(
                    [
                        *(
                            PackedFile(f"{session.libs.name}/{name}", session.libs / name, digest)
                            for name, digest in libs.items()
                        ),
                        *(file for each in checked for file in each.libs),
                    ]
                ),
                licenses=license_files(
                    sysroot=session.sysroot.directory, zig_lib=session.zig.lib_dir
                ),
                wheel_tag=toolchain.wheel_tag,
                sbom=_sbom(finished, checked, session),
                step=step,
            )
    progress.remark(f"{wheel.name}: {wheel.stat().st_size:,} bytes, sha256 {file_sha256(wheel)}")
    if settings.timings is not None:
        write_timings(wheel_directory / settings.timings, progress)
    if settings.report:
        with progress.stage("report"):
            _write_report(wheel, progress)
    progress.result(
        outcome(
            wheel.name,
            wheel.stat().st_size,
            manifests,
            f"py -m pip install {wheel.name}, on Windows",
        )
    )
    return wheel.name


def _write_report(wheel: Path, progress: Progress) -> None:
    stages, total = tuple(progress.stages), time.monotonic() - progress.began
    write_report(wheel, wheel.with_suffix(".html"), stages=stages, total=total)


def write_timings(path: Path, progress: Progress) -> None:
    """Write the seconds of each stage so far as JSON.

    Raises:
        StorageError: the file cannot be written.
    """
    with replacing(path.absolute()) as file:
        file.write(render_timings(progress.stages, time.monotonic() - progress.began))


def fetch_toolchain(target: str, *, torch: str = "", progress: Progress) -> Path:
    """Fetch a target's sysroot and build zig's C++ run time for it, before they are needed.

    Args:
        torch: whose sysroot, "2.12.1"; by default the newest torch's that is pinned.

    Returns:
        The sysroot's folder.
    """
    toolchain = load_toolchain(target)
    with (
        temporary_folder() as folder,
        open_session(
            toolchain,
            torch or toolchain.newest_torch,
            folder,
            progress=progress,
            jobs=len(os.sched_getaffinity(0)),
            check="static",
            libs=folder,
            own_run_time=True,
        ) as session,
    ):
        with progress.stage("C++ run time of the target") as step:
            session.warm_up.wait(step)
        run_time_of(session)
        return session.sysroot.directory


def _prove(finished: Sequence[tuple[Job, Sequence[SealedDll]]], session: Session) -> None:
    if session.check == "run":
        # It needs numpy, which no other check does.
        from aotwin.proving import prove

        prove(finished, session)


def _named_proof(proof: Proof) -> Any:
    """What a caller names: a path, unless it is a reference to an attribute."""
    if isinstance(proof, str) and is_program_reference(proof):
        return proof
    return Path(proof).absolute() if isinstance(proof, (str, os.PathLike)) else proof


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


def _billed_libs(job: Job, session: Session) -> tuple[tuple[str, str], ...]:
    """The run time that a model is bound to: paths in the wheel, each with its sha256, hex."""
    if job.run_time is None:
        return ()
    digests = sorted(job.run_time.digests.items())
    return tuple((f"{session.libs.name}/{name}", digest) for name, digest in digests)


def _sbom(
    finished: Sequence[tuple[Job, Sequence[SealedDll]]],
    checked: Sequence[CheckedModel],
    session: Session,
) -> Callable[[str, int], bytes]:
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
        for job, dlls in finished
    ]
    models += [each.contents for each in checked]
    torches = [
        *(wrapper.torch_version for job, _ in finished for wrapper in job.wrappers.values()),
        *(each.generated_by for each in checked),
    ]
    generated_by = next(filter(None, torches), "")
    return lambda metadata, epoch: render_sbom(
        metadata, models, components, generated_by=generated_by, epoch=epoch
    )


def _require_one_torch(versions: Mapping[str, str]) -> str:
    """The torch of all models of a wheel: they are compiled, checked and billed against one.

    Args:
        versions: model -> its torch.
    """
    if len(set(versions.values())) > 1:
        raise ConfigurationError(
            "the models of this project are of different torch versions",
            cause=", ".join(f"{name} of torch {version}" for name, version in versions.items()),
            next_step="Generate them with one torch, or give them projects of their own.",
        )
    return next(iter(versions.values()))


def _require_replaceable(final: Path) -> None:
    """Only an earlier model may be replaced: nothing of the user's is lost."""
    with storage_errors(final):
        if not final.exists() or (final / MANIFEST_NAME).is_file():
            return
        lost = not final.is_dir() or any(final.iterdir())
    if lost:
        raise StorageError(
            f"{final} is there already and holds no built model",
            cause=f"it has no {MANIFEST_NAME}, and only an earlier model is replaced",
            next_step="Choose another output folder, or move that one away.",
        )


def _replace_directory(built: Path, final: Path) -> None:
    # Between the two renames there is no model.
    with storage_errors(final), undisturbed():
        if final.exists():
            # Inside the temporary folder that is removed in the end.
            final.rename(built.with_name("previous"))
        built.rename(final)
