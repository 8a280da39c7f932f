"""Which names a file may have so that every Windows machine can hold it.

The rules are Microsoft's "Naming Files, Paths, and Namespaces": reserved device names, characters
that are no part of a name, no dot or blank at the end, names that differ by more than case.
"""

from __future__ import annotations

from collections.abc import Iterable

#: UTF-16 units that a name in a wheel may have: MAX_PATH (260 with the final NUL) less 80 for what
#: pip installs to: C:\Users\<name>\AppData\Local\Programs\Python\Python311\Lib\site-packages
MAX_PATH_UNITS = 179

_MAX_SEGMENT_UNITS = 255
_FORBIDDEN = frozenset('<>:"\\|?*')
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"}
)


def name_problem(segment: str) -> str:
    """Why a file or folder cannot have this name on Windows; "" when it can.

    Args:
        segment: one part of a path, without separators.
    """
    if segment in ("", ".", ".."):
        return f"{segment!r} is no name of a file"
    for character in segment:
        if character in _FORBIDDEN or ord(character) < 32 or 0xD800 <= ord(character) <= 0xDFFF:
            return f"{segment!r} has the character {character!r}, which Windows does not allow"
    if segment[-1] in ". ":
        return f"{segment!r} ends with a dot or a blank, which Windows drops"
    if segment.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        return f"{segment!r} is the name of a device on Windows"
    if _units(segment) > _MAX_SEGMENT_UNITS:
        return f"{segment[:20]!r}... is longer than {_MAX_SEGMENT_UNITS} characters"
    return ""


def path_problem(path: str) -> str:
    """Why a member of a wheel cannot be installed on Windows under this name; "" when it can.

    Args:
        path: relative, with forward slashes.
    """
    if path.startswith("/"):
        return "it is an absolute path"
    for segment in path.split("/"):
        if problem := name_problem(segment):
            return problem
    if _units(path) > MAX_PATH_UNITS:
        return (
            f"it is {_units(path)} characters long; more than {MAX_PATH_UNITS} do not fit beside "
            "the folder that pip installs to"
        )
    return ""


def reference_problem(reference: str) -> str:
    """Why a folder's file cannot refer to another one like this; "" when it can.

    Args:
        reference: a path from the folder: "x.blob", "../encoder/x.blob". Only its first parts may
            lead upwards.
    """
    parts = reference.split("/")
    while parts and parts[0] == "..":
        del parts[0]
    return path_problem("/".join(parts))


def first_clash(paths: Iterable[str]) -> tuple[str, str] | None:
    """Two paths that cannot be on one Windows disk together, or None.

    They are the same, or the same but for case (folders on the way included), or one is a folder
    on the way to the other.
    """
    files: dict[str, str] = {}
    folders: dict[str, tuple[str, str]] = {}
    for path in paths:
        segments = path.split("/")
        for depth in range(1, len(segments)):
            folder = "/".join(segments[:depth])
            key = _fold(folder)
            if key in files:
                return files[key], path
            spelling, first = folders.setdefault(key, (folder, path))
            if spelling != folder:
                return first, path
        key = _fold(path)
        if key in files:
            return files[key], path
        if key in folders:
            return folders[key][1], path
        files[key] = path
    return None


def _fold(path: str) -> str:
    """NTFS compares by a table of single upper-case letters: "ß" stays what it is."""
    return "".join(c.upper() if len(c.upper()) == 1 else c for c in path)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
