"""aotwin-prove: the Windows program that runs models for a proof, through Wine, all in one process.

It is written in C++ (toolchains/windows/prove/) and opens each DLL through the C API of aotwin.dll,
as any host would: no Python for Windows is needed, and a process starts in a fraction of a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.tools.patience import NoProgressError, Patience
from aotwin.adapters.tools.wine import ready_session, windows_path
from aotwin.adapters.tools.zig import Zig
from aotwin.errors import ToolError
from aotwin.payload.arrays import BY_NUMBER, DTYPES
from aotwin.proof_samples import Samples, StoredTensor
from aotwin.stages.link import runtime_flags
from aotwin.target.toolchain import Toolchain, toolchain_path

PROGRAM = "aotwin-prove.exe"
_SOURCE = "windows/prove/aotwin_prove.cpp"
_INCLUDED = "windows/sdk/include"
_FLAGS = ("-municode", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=undefined",
          "-DNOMINMAX")  # fmt: skip
#: value of aotwin_status: the CPU lacks what the DLL was compiled for
_CPU = 4
#: seconds without a word, however much is computed, and the same for eager's longest call as a
#: multiple of it: an operator of our run time may be much slower than torch's
_COMPUTING, _TIMES_EAGER = 3600.0, 100


@dataclass(frozen=True)
class DllRun:
    """One DLL to be run with the samples of its model."""

    dll: Path
    #: the library that opens it: over aotwin's own run time, the one in its package
    library: Path
    #: the folder of torch_cpu.dll; None over aotwin's own run time
    torch: Path | None
    samples: Samples
    #: how many flat results it gives
    num_results: int


@dataclass(frozen=True)
class Ran:
    """What came of it."""

    #: for each sample, for each flat result; None where the model gives no tensor
    results: tuple[tuple[StoredTensor | None, ...], ...]
    #: where the elements are
    file: Path
    #: what failed, "" where nothing did
    failure: str = ""
    #: whether that was because this machine's CPU lacks instructions
    wrong_cpu: bool = False


def build_host(toolchain: Toolchain, zig: Zig) -> Path:
    """The program in the user cache, compiled once per machine.

    Raises:
        ToolError: zig failed.
    """
    command = host_command(toolchain)
    digest = hashlib.sha256("\0".join([zig.version, *command]).encode())
    for path in (toolchain_path(_SOURCE), toolchain_path(_INCLUDED) / "aotwin.h"):
        digest.update(path.read_bytes())

    def build(folder: Path) -> None:
        zig.run(command, cwd=folder, doing=f"building {PROGRAM}")

    return build_once(cache_dir() / "runtime" / f"prove-{digest.hexdigest()[:24]}", build) / PROGRAM


def host_command(toolchain: Toolchain) -> list[str]:
    """The `zig c++` call that builds the program."""
    flags = [flag for flag in runtime_flags(toolchain) if flag != "-shared"]
    return [
        *flags, *_FLAGS, f"-I{toolchain_path(_INCLUDED)}", str(toolchain_path(_SOURCE)),
        "-o", PROGRAM,
    ]  # fmt: skip


def patience_for(runs: Sequence[DllRun]) -> Patience:
    """How long the program may go without a word: it has one for each opening and each result."""
    slowest = max((run.samples.seconds for run in runs), default=0.0)
    return Patience(computing=max(_COMPUTING, _TIMES_EAGER * slowest))


def run_dlls(
    runs: Sequence[DllRun], host: Path, folder: Path, patience: Patience | None = None
) -> list[Ran]:
    """Run DLLs under Wine, one after the other in one process.

    Args:
        host: of `build_host`.
        folder: for jobs and results.
        patience: by default that of `patience_for`.

    Returns:
        One for each; one that crashes or hangs ends the process, so that those behind it have not
        run.

    Raises:
        ToolError: Wine is missing or failed.
    """
    jobs = folder / "jobs"
    lines = [line for index, run in enumerate(runs) for line in job_lines(run, f"found{index}")]
    jobs.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    command = [windows_path(host), windows_path(jobs)]
    ending = _run_program(command, folder, patience or patience_for(runs))
    said = read_said(ending.said, len(runs))
    if not any(said):
        raise ToolError(
            f"{PROGRAM} does not run under Wine",
            cause=ending.complaint[-2000:] or ending.failure("before it said anything"),
            next_step="Run aotwin doctor, and WINEDEBUG=+err wine cmd /c ver, to see why.",
        )
    return [
        _ran(lines, len(run.samples.inputs), folder / f"found{index}", ending)
        for index, (lines, run) in enumerate(zip(said, runs, strict=True))
    ]


@dataclass(frozen=True)
class Ending:
    """What the program said, and how it ended."""

    said: str
    exit_code: int = 0
    #: what else it wrote
    complaint: str = ""
    #: why it was ended
    hung: str = ""

    def failure(self, where: str) -> str:
        """What went wrong in a job whose end it did not come to."""
        if self.hung:
            return f"it hung {where}: {PROGRAM} {self.hung}, and was ended"
        return f"the process ended {where} (exit code {self.exit_code})"


def _run_program(command: Sequence[str], folder: Path, patience: Patience) -> Ending:
    try:
        with closing(ready_session()) as session:
            done = session.run(command, cwd=folder, timeout=None, patience=patience, check=False)
    except ToolError as error:
        if isinstance(error.__cause__, NoProgressError):
            return Ending(error.__cause__.output, hung=error.__cause__.reason)
        raise
    complaint = done.stderr.strip() or done.stdout.strip()
    return Ending(done.stdout, done.returncode, complaint)


def job_lines(run: DllRun, results: str) -> Iterator[str]:
    """What the program is told of one DLL.

    Args:
        results: name of the file for the results.

    Raises:
        ToolError: a path has no name on Windows, or more than one line.
    """
    yield "job"
    yield f"library {_path(run.library)}"
    if run.torch is not None:
        yield f"torch {_path(run.torch)}"
    yield f"inputs {_path(run.samples.inputs_file)}"
    yield f"open {results} {_path(run.dll)}"
    for inputs in run.samples.inputs:
        for tensor in inputs:
            sizes = "".join(f" {size}" for size in tensor.shape)
            number = DTYPES[tensor.dtype].number
            yield f"input {number} {tensor.offset} {tensor.nbytes} {len(tensor.shape)}{sizes}"
        yield f"run {run.num_results}"
    yield "end"


def _path(path: Path) -> str:
    spelled = windows_path(path)
    if "\n" in spelled or "\r" in spelled:
        raise ToolError(
            f"{spelled!r} cannot be named to a Windows program",
            cause="it has a line break",
            next_step="Use a folder without one.",
        )
    return spelled


def read_said(text: str, count: int) -> list[list[list[str]]]:
    """What the program said of each job: lines of words, empty where it did not come to it."""
    said: list[list[list[str]]] = [[] for _ in range(count)]
    job = -1
    for line in text.splitlines():
        job += line == "job"
        if 0 <= job < count:
            said[job].append(line.split(" "))
    return said


def _ran(lines: list[list[str]], calls: int, file: Path, ending: Ending) -> Ran:
    """What came of a job.

    Args:
        lines: of `read_said`.
        calls: how many there were to be.
        file: with the elements of results.
    """
    results: list[tuple[StoredTensor | None, ...]] = []
    tensors: list[StoredTensor | None] = []
    where = "while it was opened"
    for word, *rest in lines:
        if word == "result":
            tensors.append(_tensor(rest))
        elif word in ("opened", "ran"):
            if word == "ran":
                results.append(tuple(tensors))
                tensors = []
            where = f"in call {len(results)}" if len(results) < calls else "while it was closed"
        elif word == "failed":
            stage, code, message = rest[0], int(rest[1]), " ".join(rest[2:])
            return Ran(
                tuple(results),
                file,
                f"{_STAGES.get(stage, stage)}: {message}",
                wrong_cpu=stage == "open" and code == _CPU,
            )
        elif word == "crashed":
            return Ran(tuple(results), file, f"it crashed {where} (exception {rest[0]})")
        elif word == "closed":
            where = ""
        elif word == "done" and ending.hung:
            where = "when all was done"
    if not lines:
        return Ran((), file, "it was not run: one before it ended the process")
    return Ran(tuple(results), file, where and ending.failure(where))


_STAGES = {
    "load": "its run time cannot be loaded",
    "open": "it cannot be opened",
    "run": "it ran and failed",
    "read": "its inputs cannot be read",
    "write": "results cannot be kept",
}


def _tensor(words: list[str]) -> StoredTensor | None:
    number, offset, nbytes, _rank, *sizes = map(int, words)
    dtype = BY_NUMBER.get(number)
    return None if dtype is None else StoredTensor(dtype.name, tuple(sizes), offset, nbytes)
