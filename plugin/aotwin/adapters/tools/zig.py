"""zig, from the PyPI package `ziglang`: where it is, how it is called, and its one cold start.

zig builds libc++ and the C run time of the target from source on first use (minutes), then keeps
them in its cache. The cache's key contains the path of zig's own lib folder, and every isolated
build unpacks the package at a new path; so that folder is kept once per machine in the user cache.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.storage.files import storage_errors
from aotwin.adapters.tools.process import end, output_of, run, start
from aotwin.adapters.tools.zig_cache import KNOWN_VERSIONS, stamp_cache
from aotwin.errors import AotwinError, StorageError, ToolError
from aotwin.progress import Step
from aotwin.termination import undisturbed

#: free bytes of a disk below which a linker that died is believed to have lacked room: several
#: times what a model's DLL takes
_TIGHT_NBYTES = 8 << 20
#: Variables by which a user's environment would get headers, libraries or flags into what is
#: compiled here, unseen by the keys of what is remembered: clang's and its linker's, and zig's own.
_STEERING = re.compile(
    r"CPATH|(?:C|CPLUS|OBJC|OBJCPLUS)_INCLUDE_PATH|(?:LIBRARY|COMPILER)_PATH|GCC_EXEC_PREFIX"
    r"|INCLUDE|EXTERNAL_INCLUDE|LIB|LIBPATH|_?CL_?|LINK|_LINK_|VCToolsInstallDir|SDKROOT"
    r"|(?:DEPENDENCIES|SUNPRO_DEPENDENCIES)_OUTPUT|CCC_\w+|QA_OVERRIDE_GCC3_OPTIONS|CC_PRINT_\w+"
    r"|CLANG_\w+|NIX_\w+|LD_RUN_PATH|ZIG_\w+"
)


@dataclass(frozen=True)
class Zig:
    """A zig that is ready to be called."""

    executable: Path
    version: str
    lib_dir: Path
    cache_dir: Path

    @property
    def env(self) -> dict[str, str]:
        """Variables that make zig use the machine's one lib folder and cache."""
        return {
            "ZIG_LIB_DIR": str(self.lib_dir),
            "ZIG_GLOBAL_CACHE_DIR": str(self.cache_dir),
            "ZIG_LOCAL_CACHE_DIR": str(self.cache_dir),
        }

    @property
    def environment(self) -> dict[str, str]:
        """All variables that zig runs with."""
        kept = {name: text for name, text in os.environ.items() if not _STEERING.fullmatch(name)}
        return kept | self.env

    def run(
        self, arguments: Sequence[str], *, cwd: Path, doing: str, gives_way: bool = False
    ) -> None:
        """Call zig.

        Args:
            arguments: what follows `zig`: ("c++", "-c", ...).
            cwd: working folder.
            doing: what this call does, for the message of a failure.
            gives_way: as for `process.run`.

        Raises:
            ToolError: zig failed; the cause is the compiler's own first error.
            StorageError: it failed for want of room on a disk.
        """
        result = run(
            [str(self.executable), *arguments],
            tool="zig",
            environment=self.environment,
            cwd=cwd,
            gives_way=gives_way,
        )
        if result.returncode != 0:
            free = {folder: shutil.disk_usage(folder).free for folder in (cwd, self.lib_dir)}
            raise failure(result.returncode, result.stderr, doing=doing, free=free)


def find_zig() -> Zig:
    """The zig of the installed `ziglang` package, with its lib folder in the user cache.

    Raises:
        ToolError: the package is missing.
    """
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError(
            "zig is missing",
            cause="the package ziglang is not installed beside aotwin",
            next_step='Install it: pip install "ziglang>=0.17.1,<0.18".',
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    version = importlib.metadata.version("ziglang")
    executable = package / "zig"
    if not executable.is_file():
        raise ToolError(
            "zig is missing",
            cause=f"the package ziglang {version} holds no program for this machine",
            next_step="Reinstall ziglang from a wheel for this platform.",
        )
    # Links resolved: zig's cache is keyed by the path of its lib folder as it is spelled.
    root = (cache_dir() / "zig").resolve()
    lib_dir = build_once(
        root / f"{version}-{_lib_key(package)}", lambda folder: _copy_lib(package / "lib", folder)
    )
    return Zig(executable, version, lib_dir / "lib", root / "cache")


def failure(code: int, output: str, *, doing: str, free: Mapping[Path, int]) -> AotwinError:
    """The error for a call of zig that failed.

    Args:
        code: exit code, negative for a signal.
        output: what zig wrote to stderr. Its linker writes through a memory map, and where the
            disk is full it dies of a signal without a word.
        doing: what the call did.
        free: free bytes of the folders that zig writes to.
    """
    folder, nbytes = min(free.items(), key=lambda item: item[1])
    silent = code < 0 and not output.strip()
    if "NoSpaceLeft" in output or (silent and nbytes < _TIGHT_NBYTES):
        return StorageError(
            f"the disk is full: zig failed while {doing}",
            cause=f"{nbytes:,} bytes are free in {folder}",
            next_step="Make room, or choose another folder (the cache is AOTWIN_CACHE_DIR's), and "
            "build again.",
        )
    ended = f"it was ended by signal {-code}" if code < 0 else f"exit code {code}"
    return ToolError(
        f"zig failed while {doing}",
        cause=first_error(output) or ended,
        next_step="If the generated code is at fault, please report it with the wrapper; "
        "AOTWIN_KEEP_SOURCES=<folder> keeps the sources.",
    )


def first_error(output: str) -> str:
    """The first `error:` line of a compiler's output, and the line before it that says where."""
    for line in output.splitlines():
        if re.search(r"\b(fatal )?error:", line):
            return line.strip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else ""


class WarmUp:
    """Builds the target's libc++ and C run time in the background, once per machine.

    Args:
        zig: the zig to warm.
        arguments: a complete `zig c++` call without the source file and the output, with the very
            flags of the later link: other flags make zig build another libc++.
    """

    def __init__(self, zig: Zig, arguments: Sequence[str]) -> None:
        self._zig = zig
        self._arguments = list(arguments)
        key = hashlib.sha256("\0".join([str(zig.lib_dir), *arguments]).encode()).hexdigest()[:16]
        self._marker = zig.lib_dir.parent / f"warm-{key}"
        self._process: subprocess.Popen[bytes] | None = None
        self._objects_before = 0

    def _objects(self) -> int:
        """What zig has compiled into its cache, a folder each."""
        objects = self._zig.cache_dir / "o"
        return sum(1 for _ in objects.iterdir()) if objects.is_dir() else 0

    @property
    def needed(self) -> bool:
        """True where the cold build has not been done for this very copy of the lib folder."""
        try:
            return self._marker.read_text() != self._lib_identity()
        except OSError:
            return True

    @property
    def moved(self) -> bool:
        """True where it was done for a lib folder that has been copied since, or restored.

        zig's cache knows files by inode and time, so that it is cold there, and `start` mends that.
        """
        return (
            self.needed and self._marker.exists() and bool(KNOWN_VERSIONS.match(self._zig.version))
        )

    def _lib_identity(self) -> str:
        status = (self._zig.lib_dir / "c.zig").stat()
        return f"{status.st_ino} {status.st_mtime_ns}\n"

    @property
    def running(self) -> bool:
        """True between `start` and `wait`."""
        return self._process is not None

    def start(self, folder: Path) -> None:
        """Start the cold build in a folder of the caller's, unless it was done before.

        Raises:
            StorageError: the folder cannot be written.
            ToolError: zig cannot be started.
        """
        if not self.needed or self._process is not None:
            return
        if self.moved:
            stamp_cache(self._zig.cache_dir, self._zig.lib_dir)
        self._objects_before = self._objects()
        source = folder / "warm_up.cpp"
        with storage_errors(source):
            source.write_text(WARM_UP_SOURCE)
        with undisturbed():
            self._process = start(
                [str(self._zig.executable), *self._arguments, source.name, "-o", "warm_up.dll"],
                tool="zig",
                environment=self._zig.environment,
                cwd=folder,
            )

    def wait(self, step: Step | None = None) -> None:
        """Wait for the cold build.

        Args:
            step: gets to know what has been compiled since its start.

        Raises:
            ToolError: it failed.
            StorageError: the user cache cannot be written.
        """
        if self._process is None:
            return
        if step is not None:
            step.expect(None, "objects")
            step.follow(lambda: self._objects() - self._objects_before)
        _, stderr = output_of(self._process)
        code, self._process = self._process.returncode, None
        if code != 0:
            raise ToolError(
                "zig cannot build the target's C++ run time",
                cause=first_error(stderr.decode("utf-8", "replace")) or f"exit code {code}",
                next_step="Check the free space of the user cache and try again.",
            )
        with storage_errors(self._marker):
            self._marker.write_text(self._lib_identity())

    def cancel(self) -> None:
        """Stop a cold build whose build has failed elsewhere."""
        if self._process is not None:
            end(self._process)
            self._process = None


#: uses what wrappers use of libc++: exceptions, iostreams, strings, threads, regex
WARM_UP_SOURCE = """\
#include <iostream>
#include <regex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
extern "C" __declspec(dllexport) int warm_up(const char* text) {
  try {
    std::shared_mutex mutex;
    std::shared_lock lock(mutex);
    return std::regex_match(std::string(text), std::regex("a+"));
  } catch (const std::exception& error) {
    std::cerr << error.what();
    return -1;
  }
}
"""


def _lib_key(package: Path) -> str:
    """Tells two builds of one zig version apart without reading the lib folder.

    From the hashes that the wheel's RECORD gives; byte code that an installer may have added to it
    does not count.
    """
    record = package.parent / f"ziglang-{importlib.metadata.version('ziglang')}.dist-info/RECORD"
    data = record.read_bytes() if record.is_file() else b""
    lines = sorted(
        line
        for line in data.splitlines()
        if line.startswith(b"ziglang/lib/") and b"__pycache__" not in line
    )
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:12]


def _copy_lib(source: Path, folder: Path) -> None:
    shutil.copytree(
        source,
        folder / "lib",
        copy_function=_link_or_copy,
        ignore=shutil.ignore_patterns("__pycache__"),
    )


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
