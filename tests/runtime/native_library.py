"""The run time's sources as a Linux library, so that it can be compared with eager torch in one process."""

from __future__ import annotations

import fnmatch
import os
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "toolchains" / "windows" / "runtime"
TARGET = "x86_64-linux-gnu"


def zig(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "ziglang", *map(str, arguments)], check=True)


def build(output: Path, folders: tuple[str, ...] = ("core", "threads")) -> None:
    """Compiles `folders` by the rules of sources.toml. zig caches by content, so that a second build takes seconds."""
    rules = tomllib.loads((SOURCES / "sources.toml").read_text("utf-8"))

    def any_of(path: str, patterns: list[str]) -> bool:
        return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)

    commands = []
    objects = []
    for folder in folders:
        for source in sorted((SOURCES / folder).rglob("*.cpp")):
            name = source.relative_to(SOURCES).as_posix()
            if any_of(name, rules["only_windows"]) or any_of(name, rules["separate"]):
                continue
            flags = rules["flags"] + [flag for extra in rules["extra"] if any_of(name, extra["files"]) for flag in extra["flags"]]
            for level in rules["levels"] if any_of(name, rules["per_level"]) else rules["levels"][:1]:
                made = output.parent / f"{name.replace('/', '.')}.{level}.o"
                objects.append(made)
                commands.append(
                    ["c++", "-target", TARGET, "-fPIC", *flags, f"-mcpu=x86_64_v{level}", f"-DAOTWIN_LEVEL={level}"]
                    + [f"-I{SOURCES}", "-c", source, "-o", made]
                )
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(lambda command: zig(*command), commands))
    # Names of the C++ library must not be taken for torch's, which is in the same process.
    exports = output.parent / "exports.map"
    exports.write_text("{ global: aoti*; torch_*; aotwin*; __kmpc*; omp_*; _vcomp*; local: *; };\n", "utf-8")
    zig("c++", "-target", TARGET, "-shared", f"-Wl,--version-script={exports}", "-Wl,-Bsymbolic", "-o", output, *objects)


def build_openmp_program(output: Path, library: Path) -> None:
    made = output.with_suffix(".o")
    source = Path(__file__).with_name("openmp_program.cpp")
    zig("c++", "-target", TARGET, "-std=c++20", "-O2", "-mcpu=x86_64_v3", "-fno-sanitize=undefined", "-fopenmp=libomp", "-fPIC",
        "-fvisibility=hidden", "-c", source, "-o", made)  # fmt: skip
    zig("c++", "-target", TARGET, "-shared", "-o", output, made, library)
