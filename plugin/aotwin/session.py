"""What all models of a build share: tools made ready, and what is built once per machine.

Part of the pipeline, below `assembly`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from aotwin.adapters.pe.readers import Readers
from aotwin.adapters.storage.results import check_cache_settings
from aotwin.adapters.storage.shared_results import settle
from aotwin.adapters.tools.jobs import Jobs
from aotwin.adapters.tools.process import Children
from aotwin.adapters.tools.wine import find_wine
from aotwin.adapters.tools.zig import WarmUp, Zig, find_zig
from aotwin.errors import ToolError
from aotwin.progress import Progress
from aotwin.stages.link import SharedUnit, Sysroot, expected_unit, prepare_sysroot, runtime_flags
from aotwin.stages.runtime import RunTime, prepare_run_time, sources_to_compile
from aotwin.stages.sign import Signer
from aotwin.target.toolchain import SysrootPin, Toolchain
from aotwin.termination import WAIT_SECONDS, undisturbed

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Session:
    """What all models of one build share."""

    toolchain: Toolchain
    pin: SysrootPin
    zig: Zig
    sysroot: Sysroot
    warm_up: WarmUp
    workers: Jobs
    #: how many of them at a time
    jobs: int
    readers: Readers
    progress: Progress
    check: str
    #: what all models of the torch share, being compiled where this machine lacks it
    shared: tuple[Future[Path], ...]
    #: our own run time, being built; None where no model of the build may have it
    run_time: Future[RunTime] | None
    #: a folder for the build's own files, gone in the end
    work: Path
    #: where its DLLs go, a folder that lies to the models' as in the finished package
    libs: Path
    #: None where no model is to be signed
    signer: Signer | None = None


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
    compiles: bool = True,
    levels: Iterable[str] = (),
    signer: Signer | None = None,
) -> Iterator[Session]:
    """Tools made ready; what is built once per machine goes on beside code generation.

    Args:
        libs: where the DLLs of our own run time go.
        own_run_time: whether a model may get it, so that it must be there.
        compiles: False where no model is compiled, so that nothing of the target's is needed.
        levels: CPU levels that models are compiled for.
    """
    if check == "run":
        require_provable()
    check_cache_settings()
    pin = toolchain.sysroot(torch_version)
    with progress.stage("toolchain"):
        zig = find_zig()
    warm_up = WarmUp(zig, runtime_flags(toolchain))
    cold = compiles and warm_up.needed
    if cold and not warm_up.moved:
        progress.remark(
            "zig builds the target's C++ run time once for this machine: 2 to 4 minutes, "
            "beside the other stages"
        )
    try:
        if cold:
            warm_up.start(work)
        with progress.stage("sysroot") as step:
            sysroot = prepare_sysroot(toolchain, pin, zig, remark=progress.remark, step=step)
        compilers = Children()
        with (
            closing(Readers()) as readers,
            Jobs(max(1, jobs), compilers.adopt) as workers,
            ThreadPoolExecutor(1, "aotwin-builder", compilers.adopt) as builder,
        ):
            run_time = (
                builder.submit(_prepared_run_time, toolchain, zig, jobs, progress)
                if own_run_time
                else None
            )
            units = {
                cpu: expected_unit(toolchain, toolchain.cpus[cpu], sysroot, zig) for cpu in levels
            }
            shared = tuple(
                workers.take(partial(_compiled, unit, cpu, progress))
                for cpu, unit in units.items()
                if unit is not None and not unit.object.exists()
            )
            try:
                if compiles:
                    # For the check: imports take as long as a link, and nothing else runs yet.
                    readers.start()
                yield Session(
                    toolchain,
                    pin,
                    zig,
                    sysroot,
                    warm_up,
                    workers,
                    jobs,
                    readers,
                    progress,
                    check,
                    shared,
                    run_time,
                    work,
                    libs,
                    signer,
                )
            except BaseException:
                # What has not begun is not needed any more; leaving the block waits for the rest.
                workers.shutdown(wait=False, cancel_futures=True)
                compilers.end()
                raise
        for line in settle():
            progress.warn(line)
    finally:
        # A build that failed does not wait for it; one that ended well has waited already.
        warm_up.cancel()


def _compiled(unit: SharedUnit, cpu: str, progress: Progress) -> Path:
    torch = unit.sysroot.torch_version
    with progress.stage(f"compile what models of torch {torch} share for {cpu}"):
        return unit.compiled()


def _prepared_run_time(toolchain: Toolchain, zig: Zig, jobs: int, progress: Progress) -> RunTime:
    sources = sources_to_compile(toolchain, zig)
    if not sources:
        return prepare_run_time(toolchain, zig, jobs=jobs)
    progress.remark(
        f"aotwin's run time is compiled once for this machine: {sources} sources, "
        "beside the other stages"
    )
    with progress.stage("compile aotwin's run time") as step:
        step.expect(sources, "sources")
        return prepare_run_time(toolchain, zig, jobs=jobs, compiled=step.advance)


def require_provable() -> None:
    """Stop where models cannot be run: at once, not when all of them are built.

    Raises:
        ToolError: with what to install.
    """
    if find_spec("numpy") is None:
        raise ToolError(
            "numpy is missing, with which check=run compares results",
            cause="it is not installed in the build environment",
            next_step="Install numpy beside aotwin. `python -m build` does that by itself, unless "
            "it is told --no-isolation.",
        )
    find_wine()


def run_time_of(session: Session) -> RunTime:
    """Our own run time, as soon as it is there."""
    assert session.run_time is not None
    return result_of(session.run_time)


def result_of(future: Future[_Value]) -> _Value:
    """What a future gives; a signal is noticed meanwhile."""
    while True:
        # A signal's exception in between could leave the lock taken that the future's job needs.
        with undisturbed():
            if future in futures.wait([future], WAIT_SECONDS).done:
                return future.result()
