"""The one place that strings the stages together: generate, compile, link, weights, check, pack."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aotwin.adapters.files import storage_errors, working_folder
from aotwin.adapters.index import file_sha256
from aotwin.adapters.zig import WarmUp, Zig, find_zig
from aotwin.errors import ConfigurationError, StorageError
from aotwin.manifest import MANIFEST_NAME, render_manifest
from aotwin.model_source import Generator, open_source
from aotwin.progress import Progress
from aotwin.stages.compile import compile_flags, compile_wrapper, definitions_for
from aotwin.stages.components import linked_components
from aotwin.stages.gate import require_loadable, require_sound
from aotwin.stages.link import link_model, runtime_flags
from aotwin.stages.pack import PackedFile, PackedModel, check_pure, pack_wheel
from aotwin.stages.pt2 import write_pt2
from aotwin.stages.sbom import ModelContents, render_sbom
from aotwin.stages.sysroot import Sysroot, installed_sysroot, prepare_sysroot
from aotwin.stages.weights import write_blob
from aotwin.toolchain import Cpu, SysrootPin, Toolchain, load_toolchain
from aotwin.values import BlobInfo, BuiltModel, ModelSpec, SealedDll, Wrapper

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from aotwin.findings import Report
    from aotwin.settings import Settings

#: file of a model's package -> its source in payload/
_PAYLOAD = {"__init__.py": "model_package.py", "__main__.py": "model_main.py"}


@dataclass(frozen=True)
class _Session:
    """What all models of one build share."""

    toolchain: Toolchain
    pin: SysrootPin
    zig: Zig
    sysroot: Sysroot
    warm_up: WarmUp
    workers: ThreadPoolExecutor
    progress: Progress
    check: str


@dataclass
class _Job:
    """One model on its way: its blob is written, its wrappers are being compiled."""

    spec: ModelSpec
    directory: Path
    blob: BlobInfo
    wrappers: dict[Cpu, Wrapper] = field(default_factory=dict)
    objects: dict[Cpu, Future[Path]] = field(default_factory=dict)


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
        check: "static", or "wine" to load the DLL in Wine as well.

    Returns:
        The folder and the files in it.

    Raises:
        AotwinError: whatever a user can cause, see `aotwin.errors`.
    """
    from aotwin.schema import check_cpus, check_model_name

    progress = progress or Progress(quiet=True)
    toolchain = load_toolchain(target)
    check_model_name(name, "name")
    check_cpus(tuple(cpu), target, "cpu")
    final = Path(output_dir).absolute().joinpath(*name.split("."))
    _require_replaceable(final)
    spec = ModelSpec(name, None, None, tuple(cpu), dict(inductor or {}))
    generator = open_source(source, spec, Path.cwd(), toolchain)
    with working_folder(final.parent) as work:
        with _session(
            toolchain, generator.torch_version, work, progress=progress, jobs=2, check=check
        ) as session:
            job = _start(spec, generator, work / "model", session)
            dlls = _finish(job, session)
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
    progress = progress or Progress()
    # The hook calls this with a target only; without one this is the message.
    toolchain = load_toolchain(settings.target or "none")
    check_pure(pure_wheel)
    generators = [
        open_source(spec.wrapper or spec.program, spec, settings.project_dir, toolchain)
        for spec in settings.models
    ]
    with working_folder(wheel_directory) as work:
        with _session(
            toolchain,
            generators[0].torch_version,
            work,
            progress=progress,
            jobs=settings.jobs,
            check=settings.check,
        ) as session:
            jobs = [
                _start(spec, generator, work / spec.name, session)
                for spec, generator in zip(settings.models, generators, strict=True)
            ]
            finished = [(job, _finish(job, session)) for job in jobs]
        with progress.stage("pack"):
            wheel = pack_wheel(
                pure_wheel,
                [_packed(job, dlls) for job, dlls in finished],
                wheel_directory,
                wheel_tag=toolchain.wheel_tag,
                sbom=_sbom(finished, session),
            )
    progress.remark(f"{wheel.name}: {wheel.stat().st_size:,} bytes, sha256 {file_sha256(wheel)}")
    return wheel.name


def check(path: str | os.PathLike[str], *, full: bool = False) -> Report:
    """Check a DLL, a folder with built models at any depth, a wheel or a `.pt2`.

    Args:
        full: whether to hash blobs and other large files as well.

    Returns:
        The report; `bool(report)` says whether it passed. Bad input is a finding, not an error.
    """
    from aotwin.stages.check_package import check_path

    sysroot = installed_sysroot(load_toolchain("windows-x86_64"))
    return check_path(Path(path), sysroot, full=full)


def fetch_toolchain(target: str, *, progress: Progress) -> Path:
    """Fetch a target's sysroot and build zig's C++ run time for it, before they are needed.

    Returns:
        The sysroot's folder.
    """
    toolchain = load_toolchain(target)
    with (
        tempfile.TemporaryDirectory(prefix="aotwin-") as folder,
        _session(
            toolchain,
            toolchain.newest_torch,
            Path(folder),
            progress=progress,
            jobs=1,
            check="static",
        ) as session,
    ):
        with progress.stage("C++ run time of the target"):
            session.warm_up.wait()
        return session.sysroot.directory


@contextmanager
def _session(
    toolchain: Toolchain,
    torch_version: str,
    work: Path,
    *,
    progress: Progress,
    jobs: int,
    check: str,
) -> Iterator[_Session]:
    """Tools made ready; the cold build of zig's C++ run time goes on beside code generation."""
    pin = toolchain.sysroot(torch_version)
    with progress.stage("toolchain"):
        zig = find_zig()
        warm_up = WarmUp(zig, runtime_flags(toolchain))
        if warm_up.needed:
            progress.remark(
                "zig builds the target's C++ run time once for this machine: 2 to 4 minutes, "
                "beside the other stages"
            )
        warm_up.start(work)
    try:
        with progress.stage("sysroot"):
            sysroot = prepare_sysroot(toolchain, pin, zig, remark=progress.remark)
        with ThreadPoolExecutor(max_workers=max(1, jobs)) as workers:
            try:
                yield _Session(toolchain, pin, zig, sysroot, warm_up, workers, progress, check)
            except BaseException:
                # What has not begun is not needed any more; leaving the block waits for the rest.
                workers.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        # A build that failed does not wait for it; one that ended well has waited already.
        warm_up.cancel()


def _start(spec: ModelSpec, generator: Generator, directory: Path, session: _Session) -> _Job:
    """Generate a model for each CPU level, write its blob, and start its compiles."""
    with storage_errors(directory):
        directory.mkdir(parents=True)
    job: _Job | None = None
    for name in spec.cpu:
        cpu = session.toolchain.cpus[name]
        with session.progress.stage(f"generate {spec.name} for {cpu.name}"):
            wrapper, weights = generator.generate(cpu)
        for warning in dict.fromkeys(wrapper.warnings):
            session.progress.warn(f"{spec.name}: {warning}")
        compiling = session.workers.submit(_compile, spec, wrapper, cpu, session)
        if job is None:
            with session.progress.stage(f"weights {spec.name}"):
                blob = write_blob(weights, directory / f"{spec.stem}_weights.blob")
            job = _Job(spec, directory, blob)
        elif wrapper.constants != next(iter(job.wrappers.values())).constants:
            raise ConfigurationError(
                f"{spec.name} lays its constants out differently for {cpu.name} and {spec.cpu[0]}",
                cause="one blob cannot serve both DLLs",
                next_step="Build one model for each cpu, under two names.",
            )
        job.wrappers[cpu] = wrapper
        job.objects[cpu] = compiling
    if job is None:
        raise ConfigurationError(
            f"{spec.name} names no cpu",
            cause="one DLL is built for each cpu",
            next_step="Name at least one.",
        )
    return job


def _compile(spec: ModelSpec, wrapper: Wrapper, cpu: Cpu, session: _Session) -> Path:
    with session.progress.stage(f"compile {spec.name} for {cpu.name}"):
        return compile_wrapper(
            wrapper,
            toolchain=session.toolchain,
            cpu=cpu,
            sysroot=session.sysroot,
            zig=session.zig,
        )


def _finish(job: _Job, session: _Session) -> list[SealedDll]:
    """Link, check and describe one model."""
    dlls: list[SealedDll] = []
    files: dict[str, str] = {}
    for index, (cpu, wrapper) in enumerate(job.wrappers.items()):
        stem = job.spec.stem if index == 0 else f"{job.spec.stem}.{cpu.name}"
        compiled = job.objects[cpu].result()
        if session.warm_up.running:
            with session.progress.stage("C++ run time of the target"):
                session.warm_up.wait()
        with session.progress.stage(f"link {stem}.dll"):
            dll = link_model(
                compiled,
                wrapper,
                job.blob,
                dll_name=f"{stem}.dll",
                output_dir=job.directory,
                toolchain=session.toolchain,
                sysroot=session.sysroot,
                zig=session.zig,
                cpu=cpu,
            )
        with session.progress.stage(f"check {stem}.dll"):
            for warning in require_sound(dll, session.toolchain, session.sysroot):
                session.progress.warn(warning)
        dlls.append(dll)
        files |= _write_companions(job.directory, stem, wrapper)
    for name, source in _PAYLOAD.items():
        content = (Path(__file__).parent / "payload" / source).read_bytes()
        files |= _write(job.directory / name, content)
    manifest = render_manifest(
        name=job.spec.name,
        target=session.toolchain.name,
        wrapper=next(iter(job.wrappers.values())),
        dlls=dlls,
        blob=job.blob,
        files=files,
        torch_version=session.pin.torch_version,
        torch_sha256=session.pin.torch.sha256,
        zig_version=session.zig.version,
        flags={
            cpu.name: compile_flags(
                session.toolchain, cpu, definitions_for(wrapper, session.toolchain, cpu)
            )
            for cpu, wrapper in job.wrappers.items()
        },
    )
    _write(job.directory / MANIFEST_NAME, manifest)
    if session.check == "wine":
        _open_under_wine(job, dlls, session)
    return dlls


def _open_under_wine(job: _Job, dlls: Sequence[SealedDll], session: _Session) -> None:
    if any(wrapper.extern_nodes is not None for wrapper in job.wrappers.values()):
        session.progress.warn(
            f"{job.spec.name} was not opened under Wine: it has operators that only torch's own "
            "runner can call"
        )
        return
    for dll in dlls:
        with session.progress.stage(f"open {dll.path.name} under Wine"):
            require_loadable(dll, session.toolchain)


def _write_companions(directory: Path, stem: str, wrapper: Wrapper) -> dict[str, str]:
    """What torch's runner opens beside a DLL by its stem."""
    import json

    metadata = json.dumps(dict(wrapper.metadata), sort_keys=True).encode()
    files = _write(directory / f"{stem}_metadata.json", metadata)
    if wrapper.extern_nodes is not None:
        files |= _write(directory / f"{stem}.json", wrapper.extern_nodes)
    return files


def _write(path: Path, content: bytes) -> dict[str, str]:
    with storage_errors(path):
        path.write_bytes(content)
    return {path.name: hashlib.sha256(content).hexdigest()}


def _packed(job: _Job, dlls: Sequence[SealedDll]) -> PackedModel:
    sealed = {dll.path.name: dll.sha256 for dll in dlls}
    sealed[job.blob.path.name] = job.blob.file_sha256
    package = job.spec.name.replace(".", "/")
    return PackedModel(
        job.spec.name,
        tuple(
            PackedFile(f"{package}/{path.name}", path, sealed.get(path.name))
            for path in sorted(job.directory.iterdir())
        ),
    )


def _sbom(
    finished: Sequence[tuple[_Job, Sequence[SealedDll]]], session: _Session
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
            tuple((dll.path.name, dll.sha256) for dll in dlls),
            (job.blob.path.name, job.blob.file_sha256),
        )
        for job, dlls in finished
    ]
    wrappers = [wrapper for job, _ in finished for wrapper in job.wrappers.values()]
    generated_by = next((each.torch_version for each in wrappers if each.torch_version), "")
    return lambda metadata, epoch: render_sbom(
        metadata, models, components, generated_by=generated_by, epoch=epoch
    )


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
    with storage_errors(final):
        if final.exists():
            # Inside the temporary folder that is removed in the end.
            final.rename(built.with_name("previous"))
        built.rename(final)
