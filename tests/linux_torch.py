"""Another version of torch for Linux, beside the one that the tests' environment has.

On Linux, pip's torch is a CUDA build: a wheel of half a gigabyte, which requires several of
NVIDIA's libraries. Nothing of theirs runs when C++ is generated, but torch's own libraries are
linked with them. So the wheel is fetched alone, and each missing library is stood in for by one
whose functions fail.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from aotwin.adapters.storage.cache import build_once
from windows_on_wine.environment import cache_folder

#: what a Linux machine has, and torch uses
_SYSTEM = re.compile(
    r"(libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|libgomp|libutil|libz|libquadmath|ld-linux\S*)\.so"
)
#: functions of NVIDIA's libraries
_NVIDIA = re.compile(r"(cu|__cuda|__nv|nccl|nvrtc|nvJit|nvshmem|nvtx|_ZN?\d*cu)\w+")
_STAND_IN = "libstandin.so"


def linux_torch(version: str) -> dict[str, str]:
    """Variables with which this Python imports another torch, fetched when first asked for.

    Args:
        version: "2.15.0".
    """

    def build(folder: Path) -> None:
        wheels = folder / "wheels"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        options = ["--quiet", "--no-deps", "--only-binary", ":all:"]
        _run([*pip, "download", *options, "--dest", str(wheels), f"torch=={version}"])
        (wheel,) = wheels.glob("torch-*.whl")
        _run([*pip, "install", *options, "--no-compile", "--target", str(folder), str(wheel)])
        wheel.unlink()
        wheels.rmdir()
        _stand_in(folder / "torch" / "lib", folder / "stand-ins")

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = build_once(cache_folder().absolute() / f"linux-torch-{version}-{python}", build)
    return {"PYTHONPATH": str(home), "LD_LIBRARY_PATH": str(home / "stand-ins")}


def _stand_in(lib: Path, folder: Path) -> None:
    """Libraries of the names that torch's are linked with and that are not there."""
    libraries = [*sorted(lib.glob("*.so*")), *sorted(lib.parent.glob("_C*.so"))]
    needed = set(_found(r"NEEDED.*\[(.*?)\]", ["readelf", "-dW"], libraries))
    symbols = set(_found(r"\bUND +(\w+)", ["readelf", "-W", "--dyn-syms"], libraries))
    folder.mkdir()
    missing = sorted(
        name for name in needed if not (lib / name).exists() and not _SYSTEM.match(name)
    )
    functions = sorted(name for name in symbols if _NVIDIA.fullmatch(name))
    source = "".join(f"int {name}(void) {{ return 100; }}\n" for name in functions)
    cc = ["gcc", "-w", "-shared", "-fPIC", "-O1", "-fno-builtin"]
    _run(
        [*cc, f"-Wl,-soname,{_STAND_IN}", "-o", str(folder / _STAND_IN), "-xc", "-"], source=source
    )
    for name in missing:
        _run(
            [*cc, f"-Wl,-soname,{name}", "-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN",
             "-o", str(folder / name), f"-L{folder}", "-lstandin"]
        )  # fmt: skip


def _found(pattern: str, command: list[str], libraries: Iterable[Path]) -> Iterable[str]:
    for library in libraries:
        text = _run([*command, str(library)])
        for match in re.finditer(pattern, text):
            yield next(group for group in match.groups() if group)


def _run(command: list[str], *, source: str = "") -> str:
    done = subprocess.run(
        command,
        input=source,
        capture_output=True,
        text=True,
        check=False,
        # pip is to find the version that is asked for, whatever this machine prefers
        env=os.environ | {"PIP_CONSTRAINT": os.devnull},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
