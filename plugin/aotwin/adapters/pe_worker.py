"""The process in which untrusted bytes are parsed: `python pe_worker.py READER FOLDER < file`.

READER is "pefile" or "lief", FOLDER is where that library is installed. Prints the facts as JSON on
stdout and exits 0, or one line of reason and exits 3. Whatever the bytes provoke (a crash of native
code, an endless loop, a hunt for memory) ends this process and no other.

Started with `-I -S` and without importing aotwin: nothing in the working directory or the
environment is run, and start-up costs little but the library itself.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

#: exit code for "this reader cannot read it"
UNREADABLE = 3
#: seconds of processor time for all; importing LIEF takes 0.3 s of them
_CPU_SECONDS = 2
#: seconds of processor time for reading, and more of it for each MB of the file; a model DLL of
#: 1.2 MB takes LIEF 0.05 s
_READING_SECONDS, _READING_SECONDS_PER_MB = 0.4, 0.1
#: bytes of address space for reading, besides a multiple of the file's size
_READING_MEMORY, _MEMORY_PER_BYTE = 24 << 20, 6
#: characters of JSON besides one for each byte of the file; the facts of a model DLL take 50 kB
_MAX_OUTPUT = 1 << 20


def main(reader: str, library: str) -> int:
    """Read stdin with one reader, print what it saw."""
    data = sys.stdin.buffer.read()
    _set_limits()
    sys.path.append(library)
    try:
        module = _load(reader)
        _limit_reading(len(data))
        text = json.dumps(module.read(data))
    except (ValueError, MemoryError, RecursionError) as error:
        text = f"{type(error).__name__}: {error}" if not str(error) else str(error)
        print(" ".join(text.split())[:500])
        return UNREADABLE
    if len(text) > _MAX_OUTPUT + len(data):
        print(f"its tables hold {len(text) >> 20} MB of names")
        return UNREADABLE
    print(text)
    return 0


def _set_limits() -> None:
    """What holds for the whole process."""
    for kind, value in (
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        _limit(kind, value)


def _limit_reading(nbytes: int) -> None:
    """From here on, time and memory are those that a file takes, not those that a library takes."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_AS, used + _READING_MEMORY + _MEMORY_PER_BYTE * nbytes)
    # RLIMIT_CPU knows whole seconds only; this timer's signal ends the process, too.
    signal.setitimer(
        signal.ITIMER_PROF, _READING_SECONDS + _READING_SECONDS_PER_MB * nbytes / (1 << 20)
    )


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard < 0 else min(value, hard), hard))


def _load(reader: str) -> Any:
    path = Path(__file__).with_name(f"pe_{reader}.py")
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"no reader {reader}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    sys.stdout.flush()
    # Tearing LIEF's bindings down again would take a fifth of this process's life.
    os._exit(status)
