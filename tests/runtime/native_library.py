"""The run time's sources as a library: for Windows, or for Linux, beside eager torch."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tomllib

SOURCES = Path(__file__).resolve().parents[2] / "toolchains" / "windows" / "runtime"
LINUX = "x86_64-linux-gnu"
WINDOWS = "x86_64-windows-gnu"


def zig(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "ziglang", *map(str, arguments)], check=True)


def any_of(path: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def compiles(
    rules: dict[str, Any], folders: tuple[str, ...], target: str, objects: Path
) -> Iterator[tuple[list[str | Path], Path]]:
    """The command of each object, by the rules of sources.toml, and the object."""
    left_out = rules["only_windows" if target == LINUX else "only_linux"]
    for folder in folders:
        for source in sorted((SOURCES / folder).rglob("*.cpp")):
            name = source.relative_to(SOURCES).as_posix()
            if any_of(name, left_out):
                continue
            flags = [
                flag
                for extra in rules["extra"]
                if any_of(name, extra["files"])
                for flag in extra["flags"]
            ]
            for level in (
                rules["levels"] if any_of(name, rules["per_level"]) else rules["levels"][:1]
            ):
                made = objects / f"{name.replace('/', '.')}.{level}.o"
                yield (
                    [
                        "c++",
                        "-target",
                        target,
                        *(["-fPIC"] if target == LINUX else []),
                        *rules["flags"],
                        *flags,
                        f"-mcpu=x86_64_v{level}",
                        f"-DAOTWIN_LEVEL={level}",
                        f"-I{SOURCES}",
                        "-c",
                        source,
                        "-o",
                        made,
                    ],
                    made,
                )


def build(
    output: Path, target: str = LINUX, folders: tuple[str, ...] = ("core", "threads")
) -> None:
    """Compiles and links `folders`. zig caches by content, so that a second build takes seconds."""
    rules = tomllib.loads((SOURCES / "sources.toml").read_text("utf-8"))
    commands = list(compiles(rules, folders, target, output.parent))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda command: zig(*command[0]), commands))
    if target == LINUX:
        # Names of the C++ library must not be taken for torch's, which is in the same process.
        exports = output.parent / "exports.map"
        exports.write_text(
            "{ global: aoti*; torch_*; aotwin*; __kmpc*; omp_*; local: *; };\n", "utf-8"
        )
        flags = [f"-Wl,--version-script={exports}", "-Wl,-Bsymbolic"]
    else:
        flags = ["-s", *(f"-l{library}" for library in rules["libraries"])]
    zig(
        "c++",
        "-target",
        target,
        "-O3",
        "-shared",
        *flags,
        "-o",
        output,
        *(made for _, made in commands),
    )


def exported_names(folders: tuple[str, ...] = ("core", "threads")) -> list[str]:
    """As sources.toml says that they are found."""
    pattern = tomllib.loads((SOURCES / "sources.toml").read_text("utf-8"))["exported"]
    texts = (
        source.read_text("utf-8")
        for folder in folders
        for source in (SOURCES / folder).rglob("*.cpp")
    )
    return sorted({name for text in texts for name in re.findall(pattern, text)})


def build_openmp_program(output: Path, library: Path, target: str = LINUX) -> None:
    made = output.with_suffix(".o")
    source = Path(__file__).with_name("openmp_program.cpp")
    zig(
        "c++",
        "-target",
        target,
        "-std=c++20",
        "-O2",
        "-mcpu=x86_64_v3",
        "-fno-sanitize=undefined",
        "-fopenmp=libomp",
        *(["-fPIC", "-fvisibility=hidden"] if target == LINUX else []),
        "-c",
        source,
        "-o",
        made,
    )
    if target == WINDOWS:
        definition = output.with_suffix(".def")
        definition.write_text(
            "\n".join([f"LIBRARY {library.name}", "EXPORTS", *exported_names()]) + "\n", "utf-8"
        )
        library = output.with_suffix(".import.lib")
        zig("dlltool", "-d", definition, "-l", library, "-m", "i386:x86-64")
    zig("c++", "-target", target, "-O3", "-shared", "-o", output, made, library)
