"""Two independent readers of PE files, each in a process that its input may take down."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from aotwin.adapters import pe_worker
from aotwin.adapters.pe import PeFacts, Unreadable, decode_facts
from aotwin.errors import ToolError

#: the libraries, and the names of their `pe_<name>.py`
READERS = ("pefile", "lief")
#: seconds of wall-clock time; the workers' own limit of processor time is lower
_TIMEOUT = 20.0


def read_with_all(data: bytes) -> dict[str, PeFacts | Unreadable]:
    """What each reader makes of the bytes of a PE file, side by side; readers run in parallel.

    Raises:
        ToolError: a reader's library is not installed.
    """
    with ThreadPoolExecutor(len(READERS)) as pool:
        readings = {name: pool.submit(read_with, name, data) for name in READERS}
        return {name: reading.result() for name, reading in readings.items()}


def worker_command(reader: str, library: Path) -> list[str]:
    """The command line of one worker: isolated from the environment and the working directory."""
    return [sys.executable, "-I", "-S", str(Path(pe_worker.__file__)), reader, str(library)]


def read_with(reader: str, data: bytes) -> PeFacts | Unreadable:
    """What one reader makes of the bytes; a crash or a time-out of it is an answer, too.

    Raises:
        ToolError: the reader's library is not installed.
    """
    command = worker_command(reader, _library_folder(reader))
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return Unreadable(f"{reader} was stopped after {_TIMEOUT:.0f} s")
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode == pe_worker.UNREADABLE:
        return Unreadable(f"{reader}: {output.strip()}")
    if done.returncode != 0:
        return Unreadable(f"{reader} {_death(done.returncode, done.stderr)}")
    try:
        return decode_facts(output)
    except (ValueError, KeyError, TypeError) as error:
        return Unreadable(f"{reader} gave an answer that makes no sense: {error}")


def _death(returncode: int, stderr: bytes) -> str:
    if returncode in (-signal.SIGXCPU, -signal.SIGPROF):
        return "used up its processor time"
    if returncode < 0:
        return f"crashed ({signal.Signals(-returncode).name})"
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return f"failed: {lines[-1] if lines else f'exit code {returncode}'}"


def _library_folder(reader: str) -> Path:
    # find_spec looks without importing: LIEF must not come into this process
    spec = find_spec(reader)
    if spec is None or spec.origin is None:
        raise ToolError(
            f"the Python package {reader} is not installed",
            cause="a DLL is read by two independent libraries before it may leave the build",
            next_step=f"Install it: pip install {reader}.",
        )
    path = Path(spec.origin)
    return path.parents[1] if path.name == "__init__.py" else path.parent
