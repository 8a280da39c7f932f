"""Run outside programs: lists in, text out, one error for a program that fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
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
    except FileNotFoundError as error:
        raise ToolError(
            f"{tool} cannot be started",
            cause=f"there is no {error.filename}",
            next_step=f"Install {tool}.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{tool} did not end within {error.timeout:.0f} seconds",
            cause=" ".join(command[:6]),
            next_step="Try again on a less busy machine.",
        ) from error
    except OSError as error:
        raise ToolError(f"{tool} cannot be started", cause=str(error)) from error
