"""One model's way through the stages.

Part of the pipeline: `start` takes what was generated and writes the blob; `finish` links,
checks and describes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from aotwin.adapters.storage.files import storage_errors
from aotwin.bindings import (
    bound_run_time,
    fitting_torches,
    library_reference,
    listed_libs,
)
from aotwin.blobs import Blobs
from aotwin.errors import ConfigurationError
from aotwin.formats.manifest import MANIFEST_NAME, render_manifest
from aotwin.generation import Generated
from aotwin.model_spec import ModelSpec
from aotwin.proof_samples import Samples
from aotwin.session import Session, result_of
from aotwin.stages.check import (
    require_loadable,
    require_sound,
    require_sound_sdk,
)
from aotwin.stages.generate import Generator
from aotwin.stages.link import (
    binding_source,
    called_functions,
    compile_flags,
    definitions_for,
    link_model,
)
from aotwin.stages.runtime import RunTime
from aotwin.stages.sdk import write_sdk_of
from aotwin.stages.sign import sign_dll
from aotwin.target.toolchain import Cpu
from aotwin.values import BlobInfo, SealedDll, Wrapper

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


@dataclass
class Job:
    """One model on its way: its blob is written, its wrappers are being compiled."""

    spec: ModelSpec
    directory: Path
    blob: BlobInfo
    wrappers: dict[Cpu, Wrapper] = field(default_factory=dict)
    objects: dict[Cpu, Future[tuple[bytes, ...]]] = field(default_factory=dict)
    #: files of the SDK in `directory` -> sha256, hex
    sdk: dict[str, str] = field(default_factory=dict)
    #: the run time that it was bound to; None over torch
    run_time: RunTime | None = None
    #: what it is proven with; None where it is not
    samples: Samples | None = None


def start(model: Generated, directory: Path, blobs: Blobs, session: Session) -> Job:
    """Take a model that is generated for each CPU level, and write its blob."""
    spec = model.spec
    with storage_errors(directory):
        # Another model's package may lie in it already.
        directory.mkdir(parents=True, exist_ok=True)
    job: Job | None = None
    for level in model.levels():
        cpu, wrapper = level.cpu, level.wrapper
        for warning in dict.fromkeys(wrapper.warnings):
            session.progress.warn(f"{spec.name}: {warning}")
        if job is None:
            job = Job(spec, directory, blobs.take(spec, directory, level.weights))
        elif wrapper.constants != next(iter(job.wrappers.values())).constants:
            raise ConfigurationError(
                f"{spec.name} lays its constants out differently for {cpu.name} and {spec.cpu[0]}",
                cause="one blob cannot serve both DLLs",
                next_step="Build one model for each cpu, under two names.",
            )
        job.wrappers[cpu] = wrapper
        job.objects[cpu] = level.compiling
    if job is None:
        raise ConfigurationError(
            f"{spec.name} names no cpu",
            cause="one DLL is built for each cpu",
            next_step='Name at least one: cpu = ["x86-64-v3"].',
        )
    if session.check == "run":
        # Beside the compiles, and while the program is there.
        job.samples = _expect(spec, model.generator, session)
    return job


def _expect(spec: ModelSpec, generator: Generator, session: Session) -> Samples:
    folder = session.work / "proof" / spec.name
    with storage_errors(folder):
        folder.mkdir(parents=True)
    with session.progress.stage(f"expected results of {spec.name}"):
        return generator.samples(folder)


def finish(job: Job, session: Session) -> list[SealedDll]:
    """Link, check and describe one model."""
    dlls: list[SealedDll] = []
    files: dict[str, str] = {}
    objects = {cpu: result_of(compiling) for cpu, compiling in job.objects.items()}
    called = {cpu: called_functions(compiled) for cpu, compiled in objects.items()}
    all_called = {name for names in called.values() for name in names}
    job.run_time = bound_run_time(job.spec, job.wrappers.values(), all_called, session)
    runs_with: tuple[str, ...] = ()
    if job.run_time is None:
        runs_with = fitting_torches(next(iter(job.wrappers.values())), all_called, session)
    for index, (cpu, wrapper) in enumerate(job.wrappers.items()):
        stem = job.spec.stem if index == 0 else f"{job.spec.stem}.{cpu.name}"
        if session.warm_up.running:
            with session.progress.stage("C++ run time of the target") as step:
                session.warm_up.wait(step)
        binding = ""
        if job.run_time is not None:
            binding = binding_source(
                called[cpu], library_reference(job.run_time, job.directory, session)
            )
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
                runs_with=runs_with,
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
        runs_with=runs_with,
        zig_version=session.zig.version,
        flags=_flags(job, session),
        sdk=job.sdk,
        libs=listed_libs(job.run_time, job.directory, session),
    )
    _write(job.directory / MANIFEST_NAME, manifest)
    if session.check == "wine":
        _open_under_wine(job, dlls, session)
    return dlls


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
    for name, content in payload_of(run_time).items():
        files |= _write(directory / name, content)
    return files


def payload_of(run_time: str) -> dict[str, bytes]:
    """The Python of a package over a run time ("own", "torch"): file name -> content."""
    return {name: payload_file(name) for name in _PAYLOAD[run_time]}


def payload_file(name: str) -> bytes:
    """One file of what goes into users' packages; empty where there is none of that name."""
    known = {path.name: path for path in (Path(__file__).parent / "payload").glob("*.py")}
    return known[name].read_bytes() if name in known else b""


def _flags(job: Job, session: Session) -> dict[str, list[str]]:
    return {
        cpu.name: compile_flags(
            session.toolchain,
            cpu,
            definitions_for(wrapper.definitions, session.toolchain, cpu),
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
