"""Wine: Windows programs on Linux, in prefixes of their own that no other program uses."""

from __future__ import annotations

import atexit
import hashlib
import os
import selectors
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.tools.patience import WAITING, Patience
from aotwin.adapters.tools.process import end, ends_within, run, start, visible
from aotwin.errors import ToolError
from aotwin.termination import WAIT_SECONDS

#: where distributions put Wine's programs when they are not on PATH
_FOLDERS = ("/usr/lib/wine", "/opt/wine-stable/bin")
#: host variables that mean something else to a Windows program, or would make runs differ
_DROPPED_PREFIXES = ("PYTHON", "PIP_", "WINE", "LC_")
_DROPPED = frozenset(
    {"LANG", "LANGUAGE", "DISPLAY", "WAYLAND_DISPLAY", "VIRTUAL_ENV", "LD_PRELOAD"}
)
_FIXED: Mapping[str, str] = {
    "WINEARCH": "win64",
    "WINEDEBUG": "-all",
    # No .NET, no HTML, no desktop menu entries: what is not installed cannot ask to be. No
    # debugger: a program that crashes ends at once, where winedbg may show a dialog and wait.
    "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe,winedbg.exe=",
    # Wine spells file names in the locale's character set; only UTF-8 has all of them. Debian
    # and Ubuntu always have this locale. The Windows code page is then 1252.
    "LC_ALL": "C.UTF-8",
    # Wine lacks GetNumaNodeProcessorMaskEx, with which OpenMP asks for the machine's shape.
    "KMP_TOPOLOGY_METHOD": "flat",
    # Linux lets a process use AMX only after a system call that no Windows program makes.
    "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16",
}
#: seconds that Wine may take for its Windows folder; it needs some ten
_SETS_UP = 600.0
#: a Windows path cannot hold these; a Linux path can
_NOT_IN_WINDOWS_NAMES = frozenset('<>:"|?*\\')


@dataclass(frozen=True)
class Wine:
    """Wine's two programs."""

    loader: Path
    server: Path

    def version(self) -> str:
        """What `wine --version` says: "wine-8.0 (Debian 8.0~repack-4)".

        Raises:
            ToolError: it does not run.
        """
        done = run([str(self.loader), "--version"], tool="Wine", env={"WINEDEBUG": "-all"})
        if done.returncode != 0 or not done.stdout.strip():
            raise ToolError(
                f"{self.loader} does not run",
                cause=done.stderr.strip() or f"exit code {done.returncode}",
                next_step="Reinstall the package wine64 (Debian, Ubuntu) or wine.",
            )
        return done.stdout.strip()


def find_wine() -> Wine:
    """The Wine of this machine.

    Raises:
        ToolError: there is none.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
    loader = shutil.which("wine", path=path) or shutil.which("wine64", path=path)
    server = shutil.which("wineserver", path=path) or shutil.which("wineserver64", path=path)
    if loader is None or server is None:
        raise ToolError(
            "Wine is not installed",
            cause="neither wine nor wine64 is on PATH" if loader is None else "no wineserver",
            next_step="Install the package wine64 (Debian, Ubuntu) or wine of your distribution.",
        )
    return Wine(Path(loader), Path(server))


def make_prefix(wine: Wine, prefix: Path) -> None:
    """Make Wine's own Windows folder, and let it call itself Windows 10.

    Raises:
        ToolError: Wine cannot.
    """
    prefix.mkdir(exist_ok=True)
    environment = program_environment(os.environ, prefix, {})
    # Torch refuses what calls itself an older Windows; Wine 8 does by default.
    version = ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]
    for command in (["wineboot", "--init"], version):
        problem = _quietly([str(wine.loader), *command], environment)
        if problem:
            _quietly([str(wine.server), "-k"], environment)
            raise ToolError(
                "Wine cannot set up its Windows folder",
                cause=f"wine {command[0]} {problem}",
                next_step="Run WINEPREFIX=/tmp/prefix wine wineboot --init by hand to see why.",
            )
    # The registry is on disk only when the server has ended.
    _quietly([str(wine.server), "-w"], environment)


def _quietly(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program to its end; returns what went wrong."""
    # Not `process.run`: Wine's services keep the pipes open long after the program has ended.
    process = start(command, tool="Wine", environment=environment, stderr=subprocess.DEVNULL)
    try:
        if not ends_within(process, _SETS_UP):
            return f"did not end within {_SETS_UP:.0f} seconds"
    finally:
        end(process)
    return f"failed with exit code {process.returncode}" if process.returncode else ""


def program_environment(
    host: Mapping[str, str], prefix: Path, extra: Mapping[str, str]
) -> dict[str, str]:
    """The environment of a Windows program: the host's, cleaned, then ours, then the caller's."""
    kept = {
        name: value
        for name, value in visible(host).items()
        if name not in _DROPPED and not name.startswith(_DROPPED_PREFIXES)
    }
    return {**kept, **_FIXED, "WINEPREFIX": str(prefix), **extra}


def windows_path(path: Path) -> str:
    r"""The Windows spelling of a Linux path: /a/b is Z:\a\b.

    Raises:
        ToolError: the path holds a character that no Windows path can have.
    """
    absolute = str(path.absolute())
    if bad := _NOT_IN_WINDOWS_NAMES.intersection(absolute):
        raise ToolError(
            f"{absolute} has no name on Windows",
            cause=f"it contains {' '.join(sorted(bad))}",
            next_step="Use a path without these characters.",
        )
    return "Z:" + absolute.replace("/", "\\")


def linux_path(spelled: str) -> str:
    r"""What `windows_path` was made from: Z:\a\b is /a/b; anything else stays as it is."""
    return spelled[2:].replace("\\", "/") if spelled.startswith("Z:\\") else spelled


class Session:
    """Windows programs in one Wine prefix; for `contextlib.closing`.

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
        return program_environment(os.environ, self.prefix, extra or {})

    def start(self) -> None:
        """Start Wine's services; does nothing while they run.

        Raises:
            ToolError: they do not start.
        """
        with self._lock:
            if self._keeper is not None and self._keeper.poll() is None:
                return
            self._keeper = start(
                [str(self.wine.loader), "cmd", "/c", "echo ready& set /p end="],
                tool="Wine",
                environment=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            atexit.register(self.close)
            ready = _first_line(self._keeper)
        if not ready.startswith(b"ready"):
            self.close()
            raise ToolError(
                "Wine does not start",
                cause=f"its command interpreter did not answer in {self.prefix}",
                next_step="Run WINEDEBUG=+err wine cmd /c ver by hand to see why.",
            )

    def close(self) -> None:
        """Let Wine's services end; a later program starts them again."""
        atexit.unregister(self.close)
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if keeper.stdin is not None:
            keeper.stdin.close()
        if not ends_within(keeper, WAITING):
            # Whatever else runs in this prefix waits for the same server.
            _quietly([str(self.wine.server), "-k"], self.environment())
        end(keeper)

    def run(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float | None = 600,
        patience: Patience | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a Windows program to its end: no stdin, pipes, UTF-8.

        CPython stops at `Invalid handle` under Wine where stdin is closed or stdout a plain file.

        Returns:
            The finished process. Linux keeps 8 bits of a Windows exit code.

        Raises:
            ToolError: it takes longer than `timeout` seconds, or shows no progress for longer than
                `patience` has, as `process.run` tells it; or `check` is set and it fails.
        """
        self.start()
        done = run(
            [str(self.wine.loader), *command],
            tool=command[0],
            environment=self.environment(env),
            cwd=cwd,
            timeout=timeout,
            patience=patience,
        )
        if check and done.returncode != 0:
            raise ToolError(
                f"{command[0]} failed with exit code {done.returncode}",
                cause=(done.stdout[-2000:] + done.stderr[-4000:]).strip(),
                next_step="Mend what its own lines say, or report them.",
            )
        return done


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """What a program of `start` says first; nothing where that does not come."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        for _ in range(int(WAITING / WAIT_SECONDS)):
            if selector.select(WAIT_SECONDS):
                return process.stdout.readline()
    return b""


def ready_session() -> Session:
    """A session in aotwin's own prefix, made where it is not there yet (seconds).

    Raises:
        ToolError: Wine is not installed, or cannot set up its Windows folder.
    """
    wine = find_wine()
    key = hashlib.sha256(f"{wine.loader}\0{wine.version()}".encode()).hexdigest()[:16]
    prefix = cache_dir() / "runtime" / f"wine-{key}"
    return Session(wine, build_once(prefix, lambda folder: make_prefix(wine, folder)))
