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
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

#: exit code for "this reader cannot read it"
UNREADABLE = 3
#: seconds of processor time; LIEF's import alone takes 0.3 s
_CPU_SECONDS = 2
#: bytes of address space besides a multiple of the file's size; LIEF's library takes 70 MB
_BASE_MEMORY = 160 << 20
_MEMORY_PER_BYTE = 6
#: characters of JSON; the facts of a model DLL take 50 kB
_MAX_OUTPUT = 32 << 20


def main(reader: str, library: str) -> int:
    """Read stdin with one reader, print what it saw."""
    data = sys.stdin.buffer.read()
    _limit(len(data))
    sys.path.append(library)
    try:
        text = json.dumps(_load(reader).read(data))
    except (ValueError, MemoryError, RecursionError) as error:
        text = f"{type(error).__name__}: {error}" if not str(error) else str(error)
        print(" ".join(text.split())[:500])
        return UNREADABLE
    if len(text) > _MAX_OUTPUT:
        print(f"its tables hold more than {_MAX_OUTPUT >> 20} MB of names")
        return UNREADABLE
    print(text)
    return 0


def _limit(nbytes: int) -> None:
    memory = _BASE_MEMORY + _MEMORY_PER_BYTE * nbytes
    for kind, value in (
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
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
