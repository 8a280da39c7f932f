"""Run outside programs: lists in, text out, one error for a program that fails.

Each gets a process group of its own, and whatever ends the wait for it ends the whole group: zig
does its work in processes of its own.
"""

from __future__ import annotations

import logging
import math
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from aotwin.adapters.tools.patience import NoProgressError, Patience, Watch, processor_seconds
from aotwin.errors import ToolError
from aotwin.progress import COMMANDS
from aotwin.termination import WAIT_SECONDS, undisturbed


class Children:
    """Programs that worker threads wait for, and that the main thread may end.

    A signal reaches the main thread only: a worker would wait for its compiler to the end.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def adopt(self) -> None:
        """From here on, what the calling thread runs is among them."""
        _children.set(self)

    def end(self) -> None:
        """End all that run, and let none start any more."""
        with self._lock:
            self._ended = True
            for process in self._running:
                _kill(process)

    def add(self, process: subprocess.Popen[bytes]) -> None:
        """Take a program in that was just started.

        Raises:
            CancelledError: it comes too late, and was ended.
        """
        with self._lock:
            if self._ended:
                from concurrent.futures import CancelledError

                _kill(process)
                raise CancelledError
            self._running.add(process)

    def remove(self, process: subprocess.Popen[bytes]) -> None:
        """Let go of a program that has ended."""
        with self._lock:
            self._running.discard(process)


#: priority of what gives way: about a tenth of the share that others get
_NICE = 10

_children: ContextVar[Children | None] = ContextVar("children", default=None)

#: variables that no outside program gets to see: the password of the signing certificate, and what
#: signs shared results
_WITHHELD = frozenset({"AOTWIN_SIGN_PASSWORD", "AOTWIN_CACHE_KEY"})


def run(
    command: Sequence[str],
    *,
    tool: str,
    env: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    patience: Patience | None = None,
    stdin: str | None = None,
    gives_way: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with captured output.

    Args:
        command: the program and its arguments; never a shell line.
        tool: what to call the program in messages.
        env: variables set on top of the environment.
        environment: all variables, in place of this process's environment.
        cwd: working folder.
        timeout: seconds.
        patience: without a sign of progress; by default it may take its time.
        stdin: what it can read there, such as a password; nothing by default.
        gives_way: to whatever else wants the CPU, this process before all.

    Returns:
        The finished process, whatever its exit code.

    Raises:
        ToolError: the program cannot be started, or takes longer than `timeout`. From a
            `NoProgressError` where patience was at its end.
    """
    children = _children.get()
    process: subprocess.Popen[bytes] | None = None
    try:
        with undisturbed():
            process = start(
                command,
                tool=tool,
                env=env,
                environment=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        if children is not None:
            children.add(process)
        if gives_way:
            _give_way(process)
        outputs = output_of(process, None if stdin is None else stdin.encode(), timeout, patience)
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{tool} did not end within {timeout:.0f} seconds",
            cause=" ".join(command[:6]),
            next_step="Try again on a less busy machine; please report it if it never ends.",
        ) from error
    except NoProgressError as error:
        raise ToolError(
            f"{tool} was ended: it {error.reason}",
            cause=" ".join(command[:6]),
            next_step="Try once more; please report it if that happens again.",
        ) from error
    finally:
        if process is not None:
            end(process)
            if children is not None:
                children.remove(process)
    return subprocess.CompletedProcess(list(command), process.returncode, *map(_text, outputs))


def output_of(
    process: subprocess.Popen[bytes],
    stdin: bytes | None = None,
    timeout: float | None = None,
    patience: Patience | None = None,
) -> tuple[bytes, bytes]:
    """Wait for a program of `start`.

    Args:
        stdin: what it can read there.
        timeout: seconds. Those in which the machine slept, or this process was stopped, do not
            count.
        patience: without a sign of progress.

    Returns:
        What it wrote to stdout and stderr where these are pipes.

    Raises:
        subprocess.TimeoutExpired: it takes longer.
        NoProgressError: patience is at its end.
    """
    left = math.inf if timeout is None else timeout
    watch = patience and Watch(patience, partial(processor_seconds, process.pid))
    while True:
        seconds = min(left, WAIT_SECONDS)
        try:
            return process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            left -= seconds
            if left <= 0:
                raise
            said, complained = error.stdout or b"", error.stderr or b""
            if watch and (reason := watch.waited(seconds, len(said) + len(complained))):
                raise NoProgressError(reason, _text(said)) from None
            # The wait goes on with what was given to it.
            stdin = None


def ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a program of `start` ends by itself, its pipes left alone.

    Args:
        seconds: counted as in `output_of`.
    """
    while seconds > 0:
        try:
            process.wait(min(seconds, WAIT_SECONDS))
        except subprocess.TimeoutExpired:
            seconds -= WAIT_SECONDS
        else:
            return True
    return False


def start(
    command: Sequence[str],
    *,
    tool: str,
    env: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a command that goes on beside this process.

    Whoever starts it calls `end` in the end.

    Args:
        command: the program and its arguments; never a shell line.
        tool: what to call the program in messages.
        env, environment, cwd: as for `run`.
        stdin, stdout, stderr: where they come from and go to, as for `subprocess.Popen`.

    Raises:
        ToolError: the program cannot be started.
    """
    if COMMANDS.isEnabledFor(logging.INFO):
        COMMANDS.info("%s", shlex.join(command))
    with _start_errors(tool):
        return subprocess.Popen(
            list(command),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**visible(os.environ if environment is None else environment), **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )


def visible(environment: Mapping[str, str]) -> dict[str, str]:
    """What outside programs get to see of an environment."""
    return {name: value for name, value in environment.items() if name not in _WITHHELD}


def end(process: subprocess.Popen[Any]) -> None:
    """Kill a program of `start` with all that it started, where it still runs; close its pipes."""
    with undisturbed():
        _kill(process)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _kill(process: subprocess.Popen[Any]) -> None:
    # One that has been waited for may have given its number to another.
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _give_way(process: subprocess.Popen[bytes]) -> None:
    """Lower the priority of a program of `start` and of all that it will start.

    Linux shares the CPU between sessions first, where it groups processes by themselves
    (sched(7), "The autogroup feature"): there, nice values count within a session only, and each
    program has one of its own.
    """
    if sys.platform == "win32":
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICE)
    with suppress(OSError):
        Path(f"/proc/{process.pid}/autogroup").write_text(str(_NICE))


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def _start_errors(tool: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ToolError(
            f"{tool} cannot be started",
            cause=f"there is no {error.filename}",
            next_step=f"Install {tool}.",
        ) from error
    except OSError as error:
        raise ToolError(
            f"{tool} cannot be started",
            cause=str(error),
            next_step=f"Check the installation of {tool} and the memory that is free.",
        ) from error
