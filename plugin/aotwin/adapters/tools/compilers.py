"""zig as compilers with names of their own, for build systems.

    python -m aotwin.adapters.tools.compilers windows-x86_64

CMake and others want one program each for C, C++, archives and resources. These are small scripts
in the user cache that call zig with the target, the machine's one lib folder and its warm cache.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
from pathlib import Path

from aotwin.adapters.storage.cache import build_once, cache_dir
from aotwin.adapters.tools.zig import Zig, find_zig
from aotwin.errors import AotwinError
from aotwin.target.toolchain import Toolchain, load_toolchain

#: script -> zig's command; the first two get the target's flags as well
_COMMANDS = {"cc": "cc", "c++": "c++", "ar": "ar", "ranlib": "ranlib", "rc": "rc"}
#: Before the user's own flags, which win. The CPU level is the lowest: a host program must start
#: before it can say what the machine lacks. With an optimisation level and -s, zig links the C++
#: run time that it has built for models already, which for C is the case where libc++ is named (and
#: not used); others cost 2 to 4 minutes, once.
_FLAGS = {"cc": ("-mcpu=x86_64", "-O2", "-lc++"), "c++": ("-mcpu=x86_64", "-O2")}
_STRIP = 'case " $* " in *" -g"*) ;; *) set -- -s "$@" ;; esac\n'


def compiler_scripts(toolchain: Toolchain, zig: Zig) -> dict[str, str]:
    """The scripts' texts by name: "cc", "c++", "ar", "ranlib", "rc"."""
    return {name: _script(name, toolchain, zig) for name in _COMMANDS}


def write_compilers(toolchain: Toolchain, zig: Zig) -> Path:
    """The folder of the scripts in the user cache.

    Raises:
        StorageError: the cache cannot be written.
    """
    scripts = compiler_scripts(toolchain, zig)
    key = hashlib.sha256("\0".join(scripts.values()).encode()).hexdigest()[:16]

    def build(folder: Path) -> None:
        for name, text in scripts.items():
            script = folder / name
            script.write_text(text, encoding="utf-8")
            script.chmod(0o755)

    return build_once(cache_dir() / "runtime" / f"compilers-{key}", build)


def _script(name: str, toolchain: Toolchain, zig: Zig) -> str:
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in zig.env.items())
    command = [str(zig.executable), _COMMANDS[name]]
    strip = ""
    if name in _FLAGS:
        command += ["-target", toolchain.triple, *_FLAGS[name]]
        strip = _STRIP
    return f'#!/bin/sh\n{exports}{strip}exec {shlex.join(command)} "$@"\n'


def main(arguments: list[str]) -> int:
    """Print the scripts' folder; the one argument is the target. Used by toolchains/cmake."""
    try:
        print(write_compilers(load_toolchain(*arguments[:1]), find_zig()))
    except AotwinError as error:
        print(f"aotwin: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["windows"]))
