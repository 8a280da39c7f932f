"""Stage run: a built model in the Windows program aotwin-run, on Windows or through Wine."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aotwin.adapters.tools.process import run
from aotwin.errors import LoadError
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.manifest_reader import MAX_MANIFEST_NBYTES

if TYPE_CHECKING:
    from aotwin.stages.link import Sysroot
    from aotwin.target.toolchain import Toolchain

# What needs Linux (Wine, the user cache, zig) is imported where it is used: on Windows this module
# only starts a program.

#: a path in a line of aotwin-run's text: it ends the line
_WINDOWS_PATH = re.compile(r"Z:\\[^\r\n]*")


@dataclass(frozen=True)
class RunOptions:
    """What aotwin-run is asked to do."""

    #: where results go as .npy files; nowhere by default
    output: Path | None = None
    #: calls of each thread
    repeat: int = 1
    #: threads that call the model at the same time
    threads: int = 1
    #: print inputs and outputs, and run nothing
    describe: bool = False
    #: one JSON object instead of lines
    json: bool = False


@dataclass(frozen=True)
class RunReport:
    """What aotwin-run said."""

    #: 0, 1 (failed), 2 (usage)
    exit_code: int
    stdout: str
    stderr: str


def run_model(
    directory: Path,
    inputs: Sequence[Path],
    options: RunOptions | None = None,
    *,
    torch: Path | None = None,
    sdk: Path | None = None,
    target: str = "windows",
) -> RunReport:
    """Run a built model with inputs from .npy files.

    Args:
        directory: a built model's folder, or one of its DLLs.
        inputs: one file for each input, in their order.
        options: by default one call, and lines of text.
        torch: the folder of torch_cpu.dll, for a model over torch; by default the sysroot's on
            Linux, the installed torch's on Windows.
        sdk: an SDK that brings aotwin-run.exe; needed on Windows, built on Linux.
        target: whose aotwin-run and sysroot are used.

    Raises:
        LoadError: the model, torch or the SDK is not there.
        ToolError: Wine or zig is missing or failed.
        SysrootError: torch's DLLs cannot be had.
    """
    options = options or RunOptions()
    if not directory.exists():
        raise LoadError(
            f"there is no {directory}",
            cause="a built model is a folder",
            next_step="Name the folder that aotwin build printed.",
        )
    if sys.platform == "win32":
        return _run_natively(directory, inputs, options, torch, sdk)
    return _run_with_wine(directory, inputs, options, torch, sdk, target=target)


def run_arguments(
    model: str, inputs: Sequence[str], output: str | None, torch: str | None, options: RunOptions
) -> list[str]:
    """aotwin-run's arguments, paths spelled for Windows; `torch` None for a model without it."""
    return [
        model,
        *(word for each in inputs for word in ("--input", each)),
        *(("--output", output) if output is not None else ()),
        *(("--torch", torch) if torch is not None else ()),
        *("--repeat", str(options.repeat)),
        *("--threads", str(options.threads)),
        *(("--describe",) if options.describe else ()),
        *(("--json",) if options.json else ()),
    ]


def _run_natively(
    directory: Path,
    inputs: Sequence[Path],
    options: RunOptions,
    torch: Path | None,
    sdk: Path | None,
) -> RunReport:
    home = directory if directory.is_dir() else directory.parent
    program = _program_of_sdk(sdk or home / "sdk")
    arguments = run_arguments(
        str(directory.absolute()),
        [str(path.absolute()) for path in inputs],
        str(options.output.absolute()) if options.output else None,
        _torch_natively(home, torch),
        options,
    )
    done = run([str(program), *arguments], tool=program.name)
    return RunReport(done.returncode, done.stdout, done.stderr)


def _torch_natively(home: Path, torch: Path | None) -> str | None:
    if torch is None and is_over_own_run_time(home):
        return None
    return str((torch or _installed_torch()).absolute())


def is_over_own_run_time(model: Path) -> bool:
    """Whether a built model, its folder or a DLL in it, needs no torch; False where nobody says."""
    return _said(model, "runtime") == "own"


def _torch_of(model: Path) -> str:
    """The torch that a built model was compiled for; "" where nobody says."""
    torch = _said(model, "torch")
    version = torch.get("version") if isinstance(torch, dict) else None
    return version if isinstance(version, str) else ""


def _said(model: Path, key: str) -> object:
    """What the manifest of a model, its folder or a DLL in it, says of a key; None without one."""
    home = model if model.is_dir() else model.parent
    try:
        with (home / MANIFEST_NAME).open("rb") as file:
            said: object = json.loads(file.read(MAX_MANIFEST_NBYTES))[key]
            return said
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _program_of_sdk(sdk: Path) -> Path:
    program = sdk / "bin" / "aotwin-run.exe"
    if not program.is_file():
        raise LoadError(
            "aotwin-run.exe is not there",
            cause=f"{program} does not exist",
            next_step="Name an SDK with --sdk: aotwin build --sdk DIR writes one on Linux, and "
            "packages of models with sdk = true hold one.",
        )
    return program


def _installed_torch() -> Path:
    import importlib.util

    spec = importlib.util.find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        raise LoadError(
            "torch's DLLs are not there",
            cause="torch is not installed in this Python, and --torch names no folder",
            next_step="Install torch, or name the folder of torch_cpu.dll with --torch.",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "lib"


def _run_with_wine(
    directory: Path,
    inputs: Sequence[Path],
    options: RunOptions,
    torch: Path | None,
    sdk: Path | None,
    *,
    target: str,
) -> RunReport:
    from aotwin.adapters.tools.patience import Patience
    from aotwin.adapters.tools.wine import linux_path, ready_session, windows_path
    from aotwin.adapters.tools.zig import find_zig
    from aotwin.stages.sdk import build_run_program
    from aotwin.target.toolchain import load_toolchain

    toolchain = load_toolchain(target)
    wine = ready_session()
    program = _program_of_sdk(sdk) if sdk else build_run_program(toolchain, find_zig())
    folder = torch
    if folder is None and not is_over_own_run_time(directory):
        folder = torch_folder(toolchain, _torch_of(directory))
    arguments = run_arguments(
        windows_path(directory),
        [windows_path(path) for path in inputs],
        windows_path(options.output) if options.output else None,
        windows_path(folder) if folder is not None else None,
        options,
    )
    with closing(wine) as session:
        command = [windows_path(program), *arguments]
        # It may compute for hours: nobody knows how often it was asked to.
        done = session.run(command, timeout=None, patience=Patience(), check=False)
    text = done.stdout
    if options.json and done.returncode == 0:
        text = json.dumps(_with_linux_paths(json.loads(text)), ensure_ascii=False) + "\n"
    else:
        text = _WINDOWS_PATH.sub(lambda found: linux_path(found[0]), text)
    return RunReport(done.returncode, text, done.stderr)


def _with_linux_paths(value: Any) -> Any:
    from aotwin.adapters.tools.wine import linux_path

    if isinstance(value, dict):
        return {key: _with_linux_paths(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_linux_paths(each) for each in value]
    return linux_path(value) if isinstance(value, str) else value


def torch_folder(toolchain: Toolchain, version: str = "") -> Path:
    """A sysroot's torch DLLs with the VC++ run time beside them, in the user cache.

    Args:
        version: of torch; "" for the newest that is pinned.

    Raises:
        SysrootError: a wheel cannot be had, or is not the pinned one.
    """
    from aotwin.adapters.tools.zig import find_zig
    from aotwin.stages.link import prepare_sysroot

    pin = toolchain.sysroot(version or toolchain.newest_torch)
    sysroot = prepare_sysroot(
        toolchain, pin, find_zig(), remark=lambda text: print(f"· {text}", file=sys.stderr)
    )
    return _with_vc_runtime(sysroot)


def _with_vc_runtime(sysroot: Sysroot) -> Path:
    import zipfile

    from aotwin.adapters.storage.cache import build_once, cache_dir
    from aotwin.adapters.storage.files import working_folder
    from aotwin.adapters.tools.index import fetch, offline_folder
    from aotwin.target.toolchain import vc_runtime

    runtime = vc_runtime()

    def build(folder: Path) -> None:
        with working_folder(folder.parent) as downloads:
            wheel = fetch(runtime.wheel, downloads, local=offline_folder())
            with zipfile.ZipFile(wheel) as archive:
                for name in runtime.names:
                    (folder / name).write_bytes(archive.read(f"{runtime.folder}/{name}"))
        for dll in sysroot.lib_dir.glob("*.dll"):
            # 300 MB: a second name, not a second copy; both lie in the user cache.
            os.link(dll, folder / dll.name)

    name = f"{sysroot.directory.name}-{runtime.wheel.sha256[:12]}-{len(runtime.names)}"
    return build_once(cache_dir() / "runtime" / name, build)
