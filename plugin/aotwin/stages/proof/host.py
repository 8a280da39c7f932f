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


def run_dlls(runs: Sequence[DllRun], host: Path, folder: Path) -> list[Ran]:
    """Run DLLs under Wine, one after the other in one process.

    Args:
        host: of `build_host`.
        folder: for jobs and results.

    Returns:
        One for each; a crash ends the process, so that those behind it have not run.

    Raises:
        ToolError: Wine is missing or failed.
    """
    jobs = folder / "jobs"
    lines = [line for index, run in enumerate(runs) for line in job_lines(run, f"found{index}")]
    jobs.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with closing(ready_session()) as session:
        done = session.run(
            [windows_path(host), windows_path(jobs)], cwd=folder, timeout=None, check=False
        )
    said = read_said(done.stdout, len(runs))
    if not any(said):
        raise ToolError(
            f"{PROGRAM} does not run under Wine",
            cause=(done.stderr.strip() or done.stdout.strip())[-2000:]
            or f"exit code {done.returncode}",
            next_step="Run aotwin doctor, and WINEDEBUG=+err wine cmd /c ver, to see why.",
        )
    return [
        _ran(lines, folder / f"found{index}", done.returncode) for index, lines in enumerate(said)
    ]


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
        if line == "job":
            job += 1
        elif 0 <= job < count:
            said[job].append(line.split(" "))
    return said


def _ran(lines: list[list[str]], file: Path, exit_code: int) -> Ran:
    results: list[tuple[StoredTensor | None, ...]] = []
    tensors: list[StoredTensor | None] = []
    is_whole = False
    for word, *rest in lines:
        is_whole = word in ("ran", "opened")
        if word == "result":
            tensors.append(_tensor(rest))
        elif word == "ran":
            results.append(tuple(tensors))
            tensors = []
        elif word == "failed":
            stage, code, message = rest[0], int(rest[1]), " ".join(rest[2:])
            return Ran(
                tuple(results),
                file,
                f"{_STAGES.get(stage, stage)}: {message}",
                wrong_cpu=stage == "open" and code == _CPU,
            )
        elif word == "crashed":
            where = f"in call {len(results)}" if lines[0] == ["opened"] else "while it was opened"
            return Ran(tuple(results), file, f"it crashed {where} (exception {rest[0]})")
        elif word == "done":
            is_whole = True
    if not is_whole:
        return Ran(tuple(results), file, f"the process ended with exit code {exit_code}")
    return Ran(tuple(results), file)


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
