"""Wine itself: where it is, the environment of its programs, and a session that keeps it warm."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aotwin.errors import ToolError

#: Where distributions put Wine's programs when they are not on PATH.
WINE_FOLDERS = ("/usr/lib/wine", "/opt/wine-stable/bin")

#: Host variables that mean something else to a Windows program, or would make runs differ.
DROPPED_PREFIXES = ("PYTHON", "PIP_", "WINE", "LC_", "COV_CORE_")
DROPPED = frozenset({"LANG", "LANGUAGE", "DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV", "LD_PRELOAD"})

FIXED: Mapping[str, str] = {
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    # No .NET, no HTML, no desktop menu entries: what is not installed cannot ask to be. No
    # debugger: a program that crashes ends at once, where winedbg may show a dialog and wait.
    "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe,winedbg.exe=",
    # Wine spells file names in the locale's character set; only UTF-8 has all of them. Debian
    # and Ubuntu always have this locale. The Windows code page is then 1252.
    "LC_ALL": "C.UTF-8",
    # UTF-8 in the pipes, and nothing else changed as PYTHONUTF8 would.
    "PYTHONIOENCODING": "utf-8",
    # Wine lacks GetNumaNodeProcessorMaskEx, with which OpenMP asks for the machine's shape.
    "KMP_TOPOLOGY_METHOD": "flat",
    # Linux lets a process use AMX only after a system call that no Windows program makes.
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16",
}

#: A Windows path cannot hold these; a Linux path can.
NOT_IN_WINDOWS_NAMES = frozenset('<>:"|?*\\')


def windows_path(path: Path) -> str:
    r"""The Windows spelling of a Linux path: /a/b is Z:\a\b.

    Raises:
        ToolError: the path holds a character that no Windows path can have.
    """
    absolute = str(path.resolve())
    if bad := NOT_IN_WINDOWS_NAMES.intersection(absolute):
        raise ToolError(
            f"{absolute} has no name on Windows",
            cause=f"it contains {' '.join(sorted(bad))}",
            next_step="Use a path without these characters.",
        )
    return "Z:" + absolute.replace("/", "\\")


def wine_environment(
    host: Mapping[str, str], prefix: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a Windows program: the host's, cleaned, then ours, then the caller's."""
    kept = {
        name: value
        for name, value in host.items()
        if name not in DROPPED and not name.startswith(DROPPED_PREFIXES)
    }
    return {**kept, **FIXED, "WINEPREFIX": str(prefix), **extra}


@dataclass(frozen=True)
class Wine:
    """Wine's two programs."""

    loader: Path
    server: Path

    def version(self) -> str:
        """What `wine --version` says: "wine-8.0 (Debian 8.0~repack-4)"."""
        done = subprocess.run(
            [self.loader, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "WINEDEBUG": "-all"},
        )
        if done.returncode != 0 or not done.stdout.strip():
            raise ToolError(
                f"{self.loader} does not run",
                cause=done.stderr.strip(),
                next_step="Install Wine anew: ci/windows_on_wine/install-wine.sh",
            )
        return done.stdout.strip()


def find_wine() -> Wine:
    """The Wine of this machine.

    Raises:
        ToolError: there is none.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *WINE_FOLDERS])
    loader = shutil.which("wine", path=path) or shutil.which("wine64", path=path)
    server = shutil.which("wineserver", path=path) or shutil.which("wineserver64", path=path)
    if loader is None or server is None:
        raise ToolError(
            "Wine is not installed",
            cause="neither wine nor wine64 is on PATH" if loader is None else "no wineserver",
            next_step="Run ci/windows_on_wine/install-wine.sh, or install the package wine64.",
        )
    return Wine(Path(loader), Path(server))


class Session:
    """Windows programs in one Wine prefix.

    The first program in a prefix starts Wine's services (a second), and they keep its stderr open
    for two seconds after it has ended, so that whoever reads the pipe waits. A small program of
    our own, started before all others, takes that on itself; it ends when its stdin is closed,
    which the kernel does even where this process is killed.
    """

    def __init__(self, wine: Wine, prefix: Path) -> None:
        self.wine = wine
        self.prefix = prefix
        self._keeper: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of a program in this session."""
        return wine_environment(os.environ, self.prefix, extra or {})

    def start(self) -> None:
        """Start Wine's services; does nothing while they run."""
        with self._lock:
            if self._keeper is not None and self._keeper.poll() is None:
                return
            self._keeper = subprocess.Popen(
                [self.wine.loader, "cmd", "/c", "echo ready& set /p end="],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment(),
            )
            atexit.register(self.close)
            assert self._keeper.stdout is not None
            ready = self._keeper.stdout.readline()
        if not ready.startswith(b"ready"):
            self.close()
            raise ToolError(
                "Wine does not start",
                cause=f"its command interpreter did not answer in {self.prefix}",
                next_step="Run it by hand with WINEDEBUG=+err to see why: wine cmd /c ver",
            )

    def close(self) -> None:
        """Let Wine's services end; a later program starts them again."""
        atexit.unregister(self.close)
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            assert keeper.stdin is not None and keeper.stdout is not None
            keeper.stdin.close()
            keeper.stdout.close()
            keeper.wait()

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 600,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a Windows program to its end: no stdin, pipes, UTF-8.

        CPython stops at `Invalid handle` under Wine where stdin is closed or stdout a plain file.

        Raises:
            ToolError: it takes longer than `timeout` seconds, or `check` is set and it fails.
        """
        self.start()
        process = subprocess.Popen(
            [str(self.wine.loader), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=cwd,
            env=self.environment(env),
        )
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise ToolError(
                f"{command[0]} did not end within {error.timeout:.0f} seconds",
                cause="under Wine: " + " ".join(command)[:400],
                next_step="Give it more time, or find out what it waits for.",
            ) from error
        finally:
            end(process)
        done = subprocess.CompletedProcess(list(command), process.returncode, stdout, stderr)
        if check and done.returncode != 0:
            raise ToolError(
                f"{command[0]} failed with exit code {done.returncode}",
                cause=(done.stdout[-2000:] + done.stderr[-4000:]).strip(),
                next_step="The lines above are the program's own.",
            )
        return done

    def relay(self, command: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Run a Windows program, passing on its output as it comes; its exit code."""
        self.start()
        process = subprocess.Popen(
            [str(self.wine.loader), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(env),
        )
        assert process.stdout is not None and process.stderr is not None
        ways = [(process.stdout, sys.stdout.buffer), (process.stderr, sys.stderr.buffer)]
        threads = [threading.Thread(target=_pass_on, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return process.wait()


def end(process: subprocess.Popen[str]) -> None:
    """Kill `process` where it still runs. Its pipes are not read to their end: a program that it
    started may hold them open for ever."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _pass_on(source: IO[bytes], sink: IO[bytes]) -> None:
    with source:
        for line in source:
            sink.write(line.replace(b"\r\n", b"\n"))
            sink.flush()
