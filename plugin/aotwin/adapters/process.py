"""Run outside programs: lists in, text out, one error for a program that fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from aotwin.errors import ToolError


def run(
    command: Sequence[str],
    *,
    tool: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with captured output and no stdin.

    Args:
        command: the program and its arguments; never a shell line.
        tool: what to call the program in messages.
        env: variables set on top of this process's environment.
        cwd: working folder.
        timeout: seconds.

    Returns:
        The finished process, whatever its exit code.

    Raises:
        ToolError: the program cannot be started, or takes longer than `timeout`.
    """
    with _start_errors(tool):
        try:
            return subprocess.run(
                list(command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**os.environ, **(env or {})},
                cwd=cwd,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ToolError(
                f"{tool} did not end within {error.timeout:.0f} seconds",
                cause=" ".join(command[:6]),
                next_step="Try again on a less busy machine.",
            ) from error


def start(
    command: Sequence[str], *, tool: str, env: Mapping[str, str], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start a command that goes on beside this process, its stderr captured, without stdin.

    Args:
        command: the program and its arguments; never a shell line.
        tool: what to call the program in messages.
        env: variables set on top of this process's environment.
        cwd: working folder.

    Raises:
        ToolError: the program cannot be started.
    """
    with _start_errors(tool):
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **env},
            cwd=cwd,
        )


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
