"""The process in which untrusted bytes are parsed: `python worker.py READER FOLDER`.

READER is "pefile" or "lief", FOLDER is where that library is installed; importing LIEF takes most
of the time, so one process serves several files. Each file is read in a fork of it, with limits:
whatever the bytes provoke (a crash of native code, an endless loop, a hunt for memory) ends that
fork and nothing else, and no file meets what another left behind.

On stdin, for each file: its length in 8 bytes, little endian, and its bytes; the end of stdin is
the end of the process. On stdout, for each: the fork's exit code in 4 bytes (negative for a
signal), the length of a text in 8, and the text: the facts as JSON, or one line of reason.

Started with `-I -S` and without importing aotwin: nothing in the working directory or the
environment is run, and start-up costs little but the library itself.
"""

from __future__ import annotations

import enum
import gc
import json
import os
import resource
import signal
import struct
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

#: exit codes of a fork: the facts; "this reader cannot read it"; the reader itself fails
FACTS, UNREADABLE, FAILED = 0, 3, 4
#: length of a file; exit code and length of a text
REQUEST, ANSWER = struct.Struct("<Q"), struct.Struct("<iQ")
#: seconds of processor time for a file, and more of it for each MB of it; a model DLL of 1.2 MB
#: takes LIEF 0.05 s
_SECONDS, _SECONDS_PER_MB = 0.4, 0.1
#: bytes of address space for reading, besides a multiple of the file's size
_MEMORY, _MEMORY_PER_BYTE = 24 << 20, 6
#: characters of JSON besides one for each byte of the file; the facts of a model DLL take 50 kB
MAX_OUTPUT = 1 << 20


def main(reader: str, library: str) -> None:
    """Answer for one file after another."""
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        _limit(kind, 0)
    sys.path.append(library)
    problem = ""
    module = ModuleType(reader)
    try:
        module = _load(reader)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    while header := sys.stdin.buffer.read(REQUEST.size):
        data = sys.stdin.buffer.read(*REQUEST.unpack(header))
        code, text = (FAILED, problem.encode()) if problem else _read_apart(module, data)
        sys.stdout.buffer.write(ANSWER.pack(code, len(text)) + text)
        sys.stdout.buffer.flush()


def _load(reader: str) -> ModuleType:
    """Import `<reader>_reader.py` by its path, and the library with it."""
    # LIEF sets 70,000 attributes of enumerations, each time through a function that keeps members
    # from being replaced, and leaves no garbage: these two take a fifth of the time.
    if "__setattr__" in vars(enum.EnumMeta):
        delattr(enum.EnumMeta, "__setattr__")
    gc.disable()
    name = f"{reader}_reader"
    # Not pathlib, which takes longer to import than pefile to read a file.
    path = __file__.rpartition("/")[0] + f"/{name}.py"
    module = ModuleType(name)
    SourceFileLoader(name, path).exec_module(module)
    # What is there now is there for good, and is neither looked through nor copied in the forks.
    gc.freeze()
    gc.enable()
    return module


def _read_apart(module: Any, data: bytes) -> tuple[int, bytes]:
    """Exit code and text of a fork that reads the file."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        _be_the_fork(module, data, writable)
    os.close(writable)
    most = MAX_OUTPUT + len(data)
    with os.fdopen(readable, "rb") as pipe:
        text = pipe.read(most + 1)
    if len(text) > most:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, text if code in (FACTS, UNREADABLE, FAILED) else b""


def _be_the_fork(module: Any, data: bytes, pipe: int) -> None:
    """Never returns."""
    code = FAILED
    try:
        # What a library prints must not reach the answers.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        code, text = _read(module, data)
        with os.fdopen(pipe, "wb") as file:
            file.write(text)
    finally:
        os._exit(code)


def _read(module: Any, data: bytes) -> tuple[int, bytes]:
    try:
        _limit_reading(len(data))
        text = json.dumps(module.read(data))
    except (ValueError, MemoryError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}" if not str(error) else str(error)
        return UNREADABLE, " ".join(reason.split())[:500].encode("utf-8", "replace")
    except Exception as error:
        return FAILED, f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace")
    if len(text) > MAX_OUTPUT + len(data):
        return UNREADABLE, f"its tables hold {len(text) >> 20} MB of names".encode()
    return FACTS, text.encode()


def _limit_reading(nbytes: int) -> None:
    """Time and memory are those that a file takes, not those that a library takes."""
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    used = int(os.read(statm, 100).split()[0]) * resource.getpagesize()
    os.close(statm)
    _limit(resource.RLIMIT_AS, used + _MEMORY + _MEMORY_PER_BYTE * nbytes)
    seconds = _SECONDS + _SECONDS_PER_MB * nbytes / (1 << 20)
    # RLIMIT_CPU knows whole seconds only; this timer's signal ends the process, too, unless
    # something in it has changed what signals do.
    _limit(resource.RLIMIT_CPU, int(seconds) + 2)
    signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard < 0 else min(value, hard), hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
