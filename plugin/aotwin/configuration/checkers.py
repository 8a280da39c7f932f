"""What a value of the configuration may be: each checker takes one as TOML gives it, or refuses it.

A checker's arguments are the value and the full name of its key; it returns the value checked, or
raises a `ConfigurationError` that says what was expected.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from aotwin.errors import ConfigurationError
from aotwin.portable_names import name_problem

#: takes a value as TOML gives it and the full name of its key; returns it checked
Checker = Callable[[object, str], Any]

#: the value of `target` that asks for no model at all, to overrule a pyproject.toml
NO_TARGET = "none"
#: whose C functions a model may be asked to call; "auto": aotwin's own where it has all of them
RUN_TIMES = ("auto", "own", "torch")

#: how DLLs are checked before they are packed, from the quickest
CHECKS = ("static", "wine", "run")

# Compiled where they are needed: every hook imports this module, and most need neither.
_RELEASE = r"\d{1,4}\.\d{1,4}\.\d{1,4}"
_URL = r"https?://[A-Za-z0-9\[][!-~]{0,2000}"


def wrong(where: str, value: object, expected: str, next_step: str = "") -> ConfigurationError:
    """The error for a value that does not fit its key."""
    return ConfigurationError(
        f"{where} is {_shown(value)}",
        cause=f"expected: {expected}",
        next_step=next_step or "See docs/reference/configuration.md for what each key takes.",
    )


def unknown(where: str, key: str, known: Iterable[str]) -> ConfigurationError:
    """The error for a key that nobody reads, with the nearest one that somebody does."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1)
    return ConfigurationError(
        f"unknown {where}",
        cause=f"known are: {', '.join(names)}",
        next_step=f"Did you mean {near[0]}?"
        if near
        else "Remove it, or use one of the known ones.",
    )


def is_program_reference(program: str) -> bool:
    """True for "module:attribute", False for a path."""
    module, _, attribute = program.partition(":")
    return all(_is_identifier(part) for part in (*module.split("."), *attribute.split(".")))


def _is_identifier(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def check_model_name(name: str, where: str) -> None:
    """Refuse a name that cannot become an importable package on Windows.

    Args:
        name: dotted, "demo.classifier".
        where: what to call it in the message.

    Raises:
        ConfigurationError: naming the part that is wrong.
    """
    for part in name.split("."):
        problem = ""
        if not _is_identifier(part):
            problem = f"{part!r} is no identifier of ASCII letters, digits and underscores"
        elif keyword.iskeyword(part):
            problem = f"{part!r} is a keyword of Python"
        elif part.startswith("__"):
            problem = f"{part!r} starts with two underscores, as Python's own names do"
        elif reserved := name_problem(part):
            problem = reserved
        if problem:
            raise ConfigurationError(
                f"{where} cannot be imported under that name on the target",
                cause=problem,
                next_step='Name the model like a Python package: "demo.classifier".',
            )
    top_level = name.partition(".")[0]
    if top_level == "torch" or top_level in sys.stdlib_module_names:
        raise ConfigurationError(
            f"{where} would hide, or be hidden by, the module {top_level!r}",
            cause=f"{top_level!r} belongs to {'PyTorch' if top_level == 'torch' else 'Python'}",
            next_step="Put the model into a package of your own.",
        )


def check_cpus(cpus: tuple[str, ...], target: str, where: str) -> None:
    """Refuse CPU names that the target does not have.

    Raises:
        ConfigurationError: with the nearest known name.
    """
    from aotwin.target.toolchain import load_toolchain

    known = load_toolchain(target).cpus
    for cpu in cpus:
        if cpu not in known:
            raise unknown(f"CPU {cpu!r} of {target} in {where}", cpu, known)


def check_runtime(runtime: str, where: str) -> None:
    """Refuse what is no run time.

    Raises:
        ConfigurationError: with the nearest known name.
    """
    if runtime not in RUN_TIMES:
        raise unknown(f"run time {runtime!r} in {where}", runtime, RUN_TIMES)


def target_name(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong(where, value, "the name of a target")
    if value == NO_TARGET:
        return value
    from aotwin.target.toolchain import known_targets, load_toolchain

    spellings = {
        spelling: name
        for name in known_targets()
        for spelling in (name, *load_toolchain(name).aliases)
    }
    if value not in spellings:
        raise unknown(f"target {value!r} in {where}", value, (*spellings, NO_TARGET))
    return spellings[value]


def cpu_names(value: object, where: str) -> tuple[str, ...]:
    expected = 'a list of CPU names, such as ["x86-64-v3"]'
    if not isinstance(value, list) or not value:
        raise wrong(where, value, expected)
    if not all(isinstance(item, str) and item for item in value):
        raise wrong(where, value, expected)
    if len(set(value)) != len(value):
        raise wrong(where, value, f"{expected}, each once", "Remove the repeated name.")
    return tuple(value)


def number_of_jobs(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise wrong(where, value, "a number of processes, 1 or more")
    return value


def yes_or_no(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(where, value, "true or false")
    return value


def one_of(*choices: str) -> Checker:
    def check(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise wrong(where, value, " or ".join(repr(choice) for choice in choices))
        return value

    return check


def program(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong(where, value, '"module:attribute" or the path of a .pt2 file')
    if is_program_reference(value):
        return value
    if ":" in value or not value.endswith(".pt2"):
        raise wrong(where, value, '"module:attribute" or the path of a .pt2 file')
    return path_in_project(value, where)


def output_path(value: object, where: str) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise wrong(where, value, "the path of a file to write")
    return Path(value).expanduser()


def proof(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong(where, value, '"module:attribute" or the path of an .npz file')
    if is_program_reference(value):
        return value
    if ":" in value or not value.endswith(".npz"):
        raise wrong(where, value, '"module:attribute" or the path of an .npz file')
    return path_in_project(value, where)


def tolerance(value: object, where: str) -> tuple[float, float]:
    expected = "a table with rtol and atol, such as { rtol = 1e-4, atol = 1e-5 }"
    if not isinstance(value, Mapping):
        raise wrong(where, value, expected)
    for key in value:
        if key not in ("rtol", "atol"):
            raise unknown(f"key {where}.{key}", key, ("rtol", "atol"))
    if len(value) != 2:
        raise wrong(where, dict(value), expected, "Say both: 0 is a number, too.")
    return _part(value["rtol"], f"{where}.rtol"), _part(value["atol"], f"{where}.atol")


def _part(value: object, where: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= float(value) < float("inf"):  # type: ignore[arg-type]
        raise wrong(where, value, "a number, 0 or more")
    return float(value)  # type: ignore[arg-type]


def path_in_project(value: object, where: str) -> str:
    expected = "a path within the project, relative to its pyproject.toml, with forward slashes"
    if not isinstance(value, str) or not value or "\\" in value or "\0" in value:
        raise wrong(where, value, expected)
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or ":" in value or not path.parts:
        raise wrong(where, value, expected, "Move the file into the project, or copy it there.")
    return str(path)


def inductor_options(value: object, where: str) -> dict[str, Any]:
    """Flatten nested tables to Inductor's dotted names: `cpp.simdlen = 1` -> "cpp.simdlen"."""
    if not isinstance(value, Mapping):
        raise wrong(where, value, "a table of Inductor options")
    options: dict[str, Any] = {}
    for key, entry in value.items():
        if isinstance(entry, Mapping) and entry:
            nested = inductor_options(entry, f"{where}.{key}")
            options.update({f"{key}.{inner}": each for inner, each in nested.items()})
        elif _is_plain(entry):
            options[str(key)] = entry
        else:
            raise wrong(f"{where}.{key}", entry, "a boolean, number, string or list of them")
    return options


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return isinstance(value, (bool, int, float, str)) or value == {}


def torch_version(value: object, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(_RELEASE, value):
        raise wrong(where, value, 'a version of torch, such as "2.12.1"')
    return value


def line_of_text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or not value.isprintable() or len(value) > 200:
        raise wrong(where, value, "a text of one line, 200 characters at most")
    return value


def web_address(value: object, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(_URL, value):
        raise wrong(where, value, "a URL that begins with http:// or https://")
    return value


def table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(where, value, "a table")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
