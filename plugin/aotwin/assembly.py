"""One model's way through the stages, and what all models of a build share on it.

Part of the pipeline: `start` generates, writes the blob and sets the compiles going; `finish`
links, checks and describes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from aotwin.adapters.pe.readers import Readers
from aotwin.adapters.storage.files import storage_errors
from aotwin.adapters.tools.process import Children
from aotwin.adapters.tools.zig import WarmUp, Zig, find_zig
from aotwin.errors import ConfigurationError
from aotwin.formats.manifest import MANIFEST_NAME, render_manifest
from aotwin.progress import Progress
from aotwin.stages.check import (
    require_loadable,
    require_sound,
    require_sound_libs,
    require_sound_sdk,
)
from aotwin.stages.generate import Generator
from aotwin.stages.link import (
    Sysroot,
    binding_source,
    called_functions,
    compile_flags,
    compile_wrapper,
    definitions_for,
    link_model,
    prepare_sysroot,
    runtime_flags,
)
from aotwin.stages.runtime import RunTime, choose_run_time, prepare_run_time
from aotwin.stages.sdk import write_sdk_of
from aotwin.stages.sign import Signer, sign_dll
from aotwin.stages.weights import write_blob
from aotwin.stages.wrapper import extern_targets
from aotwin.target.toolchain import Cpu, SysrootPin, Toolchain
from aotwin.termination import WAIT_SECONDS
from aotwin.values import BlobInfo, ModelSpec, RuntimeLibs, SealedDll, Wrapper

#: run time of a model -> the files of payload/ that its package has
_PAYLOAD = {
    "torch": ("__init__.py", "__main__.py", "over_torch.py"),
    "own": (
        "__init__.py",
        "__main__.py",
        "arrays.py",
        "c_api.py",
        "call_tree.py",
        "over_aotwin.py",
        "results.py",
    ),
}


@dataclass(frozen=True)
class Session:
    """What all models of one build share."""

    toolchain: Toolchain
    pin: SysrootPin
    zig: Zig
    sysroot: Sysroot
    warm_up: WarmUp
    workers: ThreadPoolExecutor
    readers: Readers
    progress: Progress
    check: str
    #: our own run time, being built; None where no model of the build may have it
    run_time: Future[RunTime] | None
    #: where its DLLs go, a folder that lies to the models' as in the finished package
    libs: Path
    #: None where no model is to be signed
    signer: Signer | None = None


@dataclass
class Job:
    """One model on its way: its blob is written, its wrappers are being compiled."""

    spec: ModelSpec
    directory: Path
    blob: BlobInfo
    wrappers: dict[Cpu, Wrapper] = field(default_factory=dict)
    objects: dict[Cpu, Future[Path]] = field(default_factory=dict)
    #: files of the SDK in `directory` -> sha256, hex
    sdk: dict[str, str] = field(default_factory=dict)
    #: the run time that it was bound to; None over torch
    run_time: RunTime | None = None


@contextmanager
def open_session(
    toolchain: Toolchain,
    torch_version: str,
    work: Path,
    *,
    progress: Progress,
    jobs: int,
    check: str,
    libs: Path,
    own_run_time: bool = False,
    signer: Signer | None = None,
) -> Iterator[Session]:
    """Tools made ready; what is built once per machine goes on beside code generation.

    Args:
        libs: where the DLLs of our own run time go.
        own_run_time: whether a model may get it, so that it must be there.
    """
    pin = toolchain.sysroot(torch_version)
    with progress.stage("toolchain"):
        zig = find_zig()
    warm_up = WarmUp(zig, runtime_flags(toolchain))
    if warm_up.needed:
        progress.remark(
            "zig builds the target's C++ run time once for this machine: 2 to 4 minutes, "
            "beside the other stages"
        )
    try:
        warm_up.start(work)
        with progress.stage("sysroot"):
            sysroot = prepare_sysroot(toolchain, pin, zig, remark=progress.remark)
        compilers = Children()
        with (
            closing(Readers()) as readers,
            ThreadPoolExecutor(max(1, jobs), initializer=compilers.adopt) as workers,
            ThreadPoolExecutor(1, initializer=compilers.adopt) as builder,
        ):
            run_time = (
                builder.submit(prepare_run_time, toolchain, zig, jobs=jobs)
                if own_run_time
                else None
            )
            try:
                yield Session(
                    toolchain,
                    pin,
                    zig,
                    sysroot,
                    warm_up,
                    workers,
                    readers,
                    progress,
                    check,
                    run_time,
                    libs,
                    signer,
                )
            except BaseException:
                # What has not begun is not needed any more; leaving the block waits for the rest.
                workers.shutdown(wait=False, cancel_futures=True)
                compilers.end()
                raise
    finally:
        # A build that failed does not wait for it; one that ended well has waited already.
        warm_up.cancel()


def start(spec: ModelSpec, generator: Generator, directory: Path, session: Session) -> Job:
    """Generate a model for each CPU level, write its blob, and start its compiles."""
    with storage_errors(directory):
        # Another model's package may lie in it already.
        directory.mkdir(parents=True, exist_ok=True)
    job: Job | None = None
    for name in spec.cpu:
        cpu = session.toolchain.cpus[name]
        with session.progress.stage(f"generate {spec.name} for {cpu.name}"):
            wrapper, weights = generator.generate(cpu)
        for warning in dict.fromkeys(wrapper.warnings):
            session.progress.warn(f"{spec.name}: {warning}")
        # For the check: importing LIEF takes as long as a link.
        session.readers.start()
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


def share_blobs(jobs: Sequence[Job], progress: Progress) -> None:
    """Let models with the same weights have one file: that of the first of them.

    Args:
        jobs: all models of a wheel, started, in folders that lie to each other as in the wheel.
    """
    owners: dict[bytes, Job] = {}
    for job in jobs:
        if not next(iter(job.wrappers.values())).constants:
            continue
        owner = owners.setdefault(job.blob.digest, job)
        if owner is job:
            continue
        with storage_errors(job.blob.path):
            job.blob.path.unlink()
        relative = PurePath(os.path.relpath(owner.blob.path, job.directory)).as_posix()
        job.blob = replace(owner.blob, shared_from=relative)
        progress.remark(
            f"{job.spec.name} has the same weights as {owner.spec.name}: "
            f"{job.blob.constants_nbytes:,} bytes are stored once"
        )


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
    objects = {cpu: _result(compiling) for cpu, compiling in job.objects.items()}
    called = {cpu: called_functions(compiled) for cpu, compiled in objects.items()}
    job.run_time = _run_time(job, {name for names in called.values() for name in names}, session)
    for index, (cpu, wrapper) in enumerate(job.wrappers.items()):
        stem = job.spec.stem if index == 0 else f"{job.spec.stem}.{cpu.name}"
        if session.warm_up.running:
            with session.progress.stage("C++ run time of the target"):
                session.warm_up.wait()
        binding = ""
        if job.run_time is not None:
            binding = binding_source(called[cpu], _library_reference(job, job.run_time, session))
        with session.progress.stage(f"link {stem}.dll"):
            dll = link_model(
                objects[cpu],
                wrapper,
                job.blob,
                dll_name=f"{stem}.dll",
                output_dir=job.directory,
                toolchain=session.toolchain,
                sysroot=session.sysroot,
                zig=session.zig,
                cpu=cpu,
                binding=binding,
            )
        with session.progress.stage(f"check {stem}.dll"):
            for warning in require_sound(
                dll,
                session.toolchain,
                session.sysroot,
                session.readers.read,
                own_run_time=job.run_time is not None,
            ):
                session.progress.warn(warning)
        dlls.append(_signed(dll, job, session))
        files |= _write_companions(job.directory, stem, wrapper)
    files |= _write_payload(job.directory, "torch" if job.run_time is None else "own")
    if job.spec.sdk:
        job.sdk |= _write_sdk(job, dlls[0], session)
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
        flags=_flags(job, session),
        sdk=job.sdk,
        libs=_listed_libs(job, session),
    )
    _write(job.directory / MANIFEST_NAME, manifest)
    if session.check == "wine":
        _open_under_wine(job, dlls, session)
    return dlls


def _result(future: Future[Any]) -> Any:
    """What a future gives; a signal is noticed meanwhile."""
    while future not in futures.wait([future], WAIT_SECONDS).done:
        pass
    return future.result()


def _run_time(job: Job, called: Iterable[str], session: Session) -> RunTime | None:
    """Our own run time, ready, where the model gets it; else None."""
    choice = choose_run_time(
        job.spec.name,
        job.spec.runtime if session.run_time is not None else "torch",
        called,
        fallbacks={
            each
            for wrapper in job.wrappers.values()
            for each in extern_targets(wrapper.extern_nodes)
        },
    )
    if choice.remark:
        session.progress.remark(choice.remark)
    return run_time_of(session) if choice.own else None


def run_time_of(session: Session) -> RunTime:
    """Our own run time, as soon as it is there."""
    assert session.run_time is not None
    if session.run_time.done():
        return session.run_time.result()
    with session.progress.stage("aotwin's run time, once for this machine"):
        run_time: RunTime = _result(session.run_time)
        return run_time


def write_libs(jobs: Sequence[Job], session: Session) -> Mapping[str, str]:
    """Write the DLLs of our run time for all models that are bound to it.

    Returns:
        File name in the session's `libs` -> sha256, hex; empty where no model is.
    """
    run_time = next((job.run_time for job in jobs if job.run_time is not None), None)
    if run_time is None:
        return {}
    run_time.write(session.libs)
    require_sound_libs(session.libs, run_time.digests, session.toolchain, session.readers.read)
    return run_time.digests


def _library_reference(job: Job, run_time: RunTime, session: Session) -> str:
    """The run time's library from the model's folder, "/" between the parts."""
    return PurePath(os.path.relpath(session.libs / run_time.library, job.directory)).as_posix()


def _listed_libs(job: Job, session: Session) -> RuntimeLibs | None:
    if job.run_time is None:
        return None
    library = _library_reference(job, job.run_time, session)
    folder = library.rpartition("/")[0]
    files = {f"{folder}/{name}": digest for name, digest in job.run_time.digests.items()}
    return RuntimeLibs(library, files)


def _signed(dll: SealedDll, job: Job, session: Session) -> SealedDll:
    """A DLL that has passed the gate, signed and checked once more where its model asks for it."""
    if job.spec.sign is None or session.signer is None:
        return dll
    with session.progress.stage(f"sign {dll.path.name}"):
        signed = sign_dll(dll, job.spec.sign, session.signer)
        require_sound(
            signed,
            session.toolchain,
            session.sysroot,
            session.readers.read,
            own_run_time=job.run_time is not None,
        )
        return signed


def _write_payload(directory: Path, run_time: str) -> dict[str, str]:
    """The Python of a model's package."""
    files: dict[str, str] = {}
    for name in _PAYLOAD[run_time]:
        content = (Path(__file__).parent / "payload" / name).read_bytes()
        files |= _write(directory / name, content)
    return files


def _flags(job: Job, session: Session) -> dict[str, list[str]]:
    return {
        cpu.name: compile_flags(
            session.toolchain, cpu, definitions_for(wrapper, session.toolchain, cpu)
        )
        for cpu, wrapper in job.wrappers.items()
    }


def _write_sdk(job: Job, dll: SealedDll, session: Session) -> dict[str, str]:
    folder = job.directory / "sdk"
    with session.progress.stage(f"sdk {job.spec.name}"):
        digests = write_sdk_of(dll.path, folder, toolchain=session.toolchain, zig=session.zig)
        require_sound_sdk(folder, digests, session.toolchain, session.readers.read)
    return {f"{folder.name}/{place}": digest for place, digest in digests.items()}


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
