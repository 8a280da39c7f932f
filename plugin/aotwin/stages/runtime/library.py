"""aotwin.dll: the run time of our own, compiled once per machine.

What it is made of is data, `toolchains/windows/runtime/sources.toml`: which sources, for which CPU
levels, with which flags. Each source is an object of its own in the user cache, so that a new
version compiles what has changed.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aotwin.adapters.pe.checksum import set_checksum
from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.tools.zig import Zig
from aotwin.stages.link import definition_file, runtime_flags
from aotwin.target.toolchain import Toolchain, toolchain_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIBRARY = "aotwin.dll"
_ROOT = "windows/runtime"
#: the SDK's C API is part of the library
_SDK = "windows/sdk/src/aotwin.cpp"
#: folders of toolchains/ that sources include headers from
_INCLUDED = ("windows/runtime", "windows/sdk/include", "windows/sdk/src", "windows/dll")
_OBJECT = "source.obj"
_DEFINITION = "library.def"
#: `AOTWIN_API int32_t aotwin_open(...)` in aotwin.h
_API = re.compile(r"^AOTWIN_API\s[\w*\s]*?\b(aotwin_\w+)\s*\(", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """One compile of one source."""

    #: from `toolchains/`
    path: str
    #: flags of its own, its CPU level among them
    flags: tuple[str, ...]


def library_sources() -> tuple[Source, ...]:
    """Every compile that the library consists of, in a fixed order."""
    rules = _rules()
    sources = [
        Source(f"{_ROOT}/{name}", (*_flags(rules, name), *_level_flags(level)))
        for folder in rules["folders"]
        for name in _names_below(folder)
        if not _matches(name, rules["only_linux"])
        for level in (
            rules["levels"] if _matches(name, rules["per_level"]) else rules["levels"][:1]
        )
    ]
    sdk = ("-std=c++20", "-O2", *_WARNINGS, *_level_flags(rules["levels"][0]))
    return (*sources, Source(_SDK, sdk))


_WARNINGS = ("-g0", "-Wall", "-Wextra", "-Werror", "-fno-sanitize=undefined", "-DNOMINMAX")


def exported_functions() -> frozenset[str]:
    """Names that the library exports: what a model may call of it, and the SDK's C API."""
    return run_time_functions() | frozenset(
        _API.findall(toolchain_path("windows/sdk/include/aotwin.h").read_text(encoding="utf-8"))
    )


@cache
def run_time_functions() -> frozenset[str]:
    """Names that models may call, as the sources mark them."""
    rules = _rules()
    mark = re.compile(rules["exported"])
    return frozenset(
        name
        for folder in rules["folders"]
        for source in _names_below(folder)
        if not _matches(source, rules["only_linux"])
        for name in mark.findall(toolchain_path(f"{_ROOT}/{source}").read_text(encoding="utf-8"))
    )


def sources_to_compile(toolchain: Toolchain, zig: Zig) -> int:
    """How many sources `build_library` would compile now: after an update, those that changed."""
    keys = _keys(toolchain, zig)
    if _place(keys).is_dir():
        return 0
    return sum(not (cache_dir() / "objects" / key).is_dir() for key in keys)


def build_library(
    toolchain: Toolchain, zig: Zig, *, jobs: int, compiled: Callable[[], None] = lambda: None
) -> Path:
    """The library in the user cache, compiled there if need be.

    Args:
        jobs: compilers at a time.
        compiled: called for each source, by the thread that compiled it.

    Returns:
        Path of aotwin.dll. The caller must not change it.

    Raises:
        ToolError: zig failed.
    """
    sources = library_sources()
    keys = _keys(toolchain, zig)
    exports = sorted(exported_functions())

    def compile_one(source: Source, key: str) -> Path:
        path = _compile(source, key, toolchain, zig)
        compiled()
        return path

    def build(folder: Path) -> None:
        # The compilers are the caller's to end: its context says whose they are.
        context = copy_context()
        with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="aotwin-runtime") as pool:
            objects = list(
                pool.map(
                    lambda source, key: context.copy().run(compile_one, source, key),
                    sources,
                    keys,
                )
            )
        (folder / _DEFINITION).write_text(definition_file(LIBRARY, exports), encoding="utf-8")
        command = [
            *runtime_flags(toolchain), *map(str, objects), _DEFINITION, *_libraries(),
            "-o", LIBRARY,
        ]  # fmt: skip
        zig.run(command, cwd=folder, doing=f"linking {LIBRARY}")
        for path in folder.iterdir():
            if path.name != LIBRARY:
                path.unlink()
        set_checksum(folder / LIBRARY)

    return build_once(_place(keys), build) / LIBRARY


def _keys(toolchain: Toolchain, zig: Zig) -> list[str]:
    """Of each source's object in the cache."""
    headers = _headers_digest()
    return [_object_key(source, headers, toolchain, zig) for source in library_sources()]


def _place(keys: Iterable[str]) -> Path:
    """The library's folder in the cache."""
    parts = "\0".join([*keys, *sorted(exported_functions()), *_libraries()])
    return cache_dir() / "runtime" / f"aotwin-{hashlib.sha256(parts.encode()).hexdigest()[:24]}"


def _libraries() -> list[str]:
    return [f"-l{name}" for name in _rules()["libraries"]]


def compile_flags(source: Source, toolchain: Toolchain) -> list[str]:
    """The `zig c++` call that compiles one source, to be run in the folder of the object."""
    return [
        "c++" if source.path.endswith(".cpp") else "cc",
        "-target",
        toolchain.triple,
        *source.flags,
        *_definitions(source, toolchain),
        *(f"-I{toolchain_path(folder)}" for folder in _INCLUDED),
        f"-ffile-prefix-map={toolchain_path('.')}=aotwin",
    ]


def _definitions(source: Source, toolchain: Toolchain) -> Iterator[str]:
    """What a link defines for all that is compiled in it is for the SDK's part: it has no stage."""
    if source.path == _SDK:
        yield from (flag for flag in toolchain.link_flags if flag.startswith("-D"))


def _compile(source: Source, key: str, toolchain: Toolchain, zig: Zig) -> Path:
    def build(folder: Path) -> None:
        command = [
            *compile_flags(source, toolchain),
            "-c", str(toolchain_path(source.path)), "-o", _OBJECT,
        ]  # fmt: skip
        zig.run(command, cwd=folder, doing=f"compiling {Path(source.path).name}")

    return build_once(cache_dir() / "objects" / key, build) / _OBJECT


def _object_key(source: Source, headers: str, toolchain: Toolchain, zig: Zig) -> str:
    digest = hashlib.sha256(toolchain_path(source.path).read_bytes())
    flags = (*source.flags, *_definitions(source, toolchain))
    for part in (source.path, *flags, toolchain.triple, headers, zig.version):
        digest.update(b"\0" + part.encode())
    return digest.hexdigest()[:32]


def _headers_digest() -> str:
    """Of every header that a source may include: one that changes compiles all of them anew."""
    digest = hashlib.sha256()
    for folder in _INCLUDED:
        for path in sorted(toolchain_path(folder).rglob("*.h")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _rules() -> Mapping[str, Any]:
    with toolchain_path(f"{_ROOT}/sources.toml").open("rb") as file:
        rules: Mapping[str, Any] = tomllib.load(file)
        return rules


def _names_below(folder: str) -> Iterator[str]:
    root = toolchain_path(_ROOT)
    for path in sorted((root / folder).rglob("*")):
        if path.suffix in (".c", ".cpp"):
            yield path.relative_to(root).as_posix()


def _flags(rules: Mapping[str, Any], name: str) -> Iterator[str]:
    for flags in (
        rules["flags"],
        *(extra["flags"] for extra in rules["extra"] if _matches(name, extra["files"])),
    ):
        yield from (each for each in flags if name.endswith(".cpp") or "c++" not in each)


def _level_flags(level: int) -> tuple[str, str]:
    return (f"-mcpu=x86_64_v{level}", f"-DAOTWIN_LEVEL={level}")


def _matches(name: str, patterns: Iterator[str] | tuple[str, ...] | list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
