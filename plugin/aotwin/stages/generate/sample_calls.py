"""The calls that a project proves its model with: `module:attribute`. Part of `generate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aotwin.errors import ProgramError
from aotwin.stages.generate.program import attribute_of, cause_of, importable, imported

_ROLE = "proof"
#: a list that does not end would be read for ever
_MAX_CALLS = 10_000


def load_calls(reference: str, project_dir: Path) -> list[Any]:
    """Load a list of calls, or what a callable returns as one.

    Args:
        reference: `module:attribute`, found as a program is.

    Raises:
        ProgramError: it does not import, is not there, or is no list of calls.
    """
    module_name, _, attribute = reference.partition(":")
    with importable(project_dir.resolve()):
        module = imported(reference, module_name, project_dir, role=_ROLE)
        found = attribute_of(reference, module, attribute, role=_ROLE)
        return read_calls(found, reference, project_dir)


def read_calls(
    found: Iterable[Any] | Callable[[], Iterable[Any]], source: str, project_dir: Path
) -> list[Any]:
    """The calls of an iterable, or of what a callable returns; each is checked where it is made.

    Args:
        source: what to call it in messages.

    Raises:
        ProgramError: it is no list of calls, or an empty one.
    """
    calls: list[Any] = []
    try:
        for call in found() if callable(found) else found:
            if not isinstance(call, (tuple, list)) or len(call) != 2:
                raise TypeError(f"sample {len(calls)} is no pair (args, kwargs)")
            if len(calls) == _MAX_CALLS:
                raise ValueError(f"it has more than {_MAX_CALLS:,} samples")
            args, kwargs = call
            calls.append((tuple(args) if isinstance(args, list) else args, kwargs))
        if not calls:
            raise ValueError("it is empty")
    except (Exception, SystemExit) as error:
        raise ProgramError(
            f"{_ROLE} {source!r} gives no samples",
            cause=cause_of(error, project_dir),
            next_step="It is a list of pairs (args, kwargs), or a function without arguments that "
            "returns one.",
        ) from error
    return calls
