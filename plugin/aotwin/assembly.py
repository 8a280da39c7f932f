"""One model's way through the stages, and what all models of a build share on it.

Part of the pipeline: `start` generates, writes the blob and sets the compiles going; `finish`
links, checks and describes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aotwin.adapters.files import storage_errors
from aotwin.adapters.zig import WarmUp, Zig, find_zig
from aotwin.errors import ConfigurationError
from aotwin.manifest import MANIFEST_NAME, render_manifest
from aotwin.model_source import Generator
from aotwin.progress import Progress
from aotwin.stages.compile import compile_flags, compile_wrapper, definitions_for
from aotwin.stages.gate import require_loadable, require_sound
from aotwin.stages.link import link_model, runtime_flags
from aotwin.stages.sysroot import Sysroot, prepare_sysroot
from aotwin.stages.weights import write_blob
from aotwin.toolchain import Cpu, SysrootPin, Toolchain
from aotwin.values import BlobInfo, ModelSpec, SealedDll, Wrapper

#: file of a model's package -> its source in payload/
_PAYLOAD = {"__init__.py": "model_package.py", "__main__.py": "model_main.py"}


@dataclass(frozen=True)
class Session:
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
class Job:
    """One model on its way: its blob is written, its wrappers are being compiled."""

    spec: ModelSpec
    directory: Path
    blob: BlobInfo
    wrappers: dict[Cpu, Wrapper] = field(default_factory=dict)
    objects: dict[Cpu, Future[Path]] = field(default_factory=dict)


@contextmanager
def open_session(
    toolchain: Toolchain,
    torch_version: str,
    work: Path,
    *,
    progress: Progress,
    jobs: int,
    check: str,
) -> Iterator[Session]:
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
                yield Session(toolchain, pin, zig, sysroot, warm_up, workers, progress, check)
            except BaseException:
                # What has not begun is not needed any more; leaving the block waits for the rest.
                workers.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        # A build that failed does not wait for it; one that ended well has waited already.
        warm_up.cancel()


def start(spec: ModelSpec, generator: Generator, directory: Path, session: Session) -> Job:
    """Generate a model for each CPU level, write its blob, and start its compiles."""
    with storage_errors(directory):
        directory.mkdir(parents=True)
    job: Job | None = None
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
            job = Job(spec, directory, blob)
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


def _compile(spec: ModelSpec, wrapper: Wrapper, cpu: Cpu, session: Session) -> Path:
    with session.progress.stage(f"compile {spec.name} for {cpu.name}"):
        return compile_wrapper(
            wrapper,
            toolchain=session.toolchain,
            cpu=cpu,
            sysroot=session.sysroot,
            zig=session.zig,
        )


def finish(job: Job, session: Session) -> list[SealedDll]:
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


def _open_under_wine(job: Job, dlls: Sequence[SealedDll], session: Session) -> None:
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
