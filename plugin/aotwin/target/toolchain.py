"""Targets and how to build for them: the data under `toolchains/targets/` as frozen values."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from aotwin.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: environment variable: a folder with pinned sysroots of the user's own
PINS_VARIABLE = "AOTWIN_SYSROOTS"


@dataclass(frozen=True)
class Cpu:
    """One CPU level of a target."""

    #: what users write: "x86-64-v3"
    name: str
    #: zig's `-mcpu=` value
    mcpu: str
    #: width of AOTInductor's vectors in bits (its `cpp.simdlen`)
    simdlen: int
    #: preprocessor definition that selects ATen's vector headers
    capability: str


@dataclass(frozen=True)
class PinnedFile:
    """One wheel of a sysroot: where pip finds it, and what it must hash to."""

    #: requirement for pip: "torch==2.13.0"
    requirement: str
    filename: str
    sha256: str
    nbytes: int
    #: pip's `--platform`, `--python-version` and `--abi`
    platform: str
    python_version: str
    abi: str


@dataclass(frozen=True)
class SysrootPin:
    """A sysroot: headers, import libraries and DLLs of the target, from pinned wheels."""

    #: torch's version: what generated the wrapper must be the same
    torch_version: str
    torch: PinnedFile
    openmp: PinnedFile
    #: DLL name -> patterns of the exported names that get an import library
    import_libraries: Mapping[str, tuple[str, ...]]
    #: C functions that torch_cpu.dll exports -> digest of what the headers say that they take and
    #: give (`declared_signatures`), "" where they declare none
    shims: Mapping[str, str] = field(default_factory=dict)
    #: entry points that torch's runner looks for in a model's DLL
    runner: frozenset[str] = frozenset()


@dataclass(frozen=True)
class VcRuntime:
    """The VC++ run-time DLLs of the target, which torch's DLLs need."""

    wheel: PinnedFile
    #: folder within the wheel, and the DLLs in it
    folder: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Toolchain:
    """How to build for one target."""

    name: str
    aliases: tuple[str, ...]
    #: zig's `-target`
    triple: str
    #: platform tag of wheels
    wheel_tag: str
    default_cpu: str
    cpus: Mapping[str, Cpu]
    compile_flags: tuple[str, ...]
    definitions: tuple[str, ...]
    #: those that AOTInductor of any torch gives a model, in its order
    generated_definitions: tuple[str, ...]
    dropped_definitions: frozenset[str]
    link_flags: tuple[str, ...]
    #: entry points that torch's runners look for and go on without
    runner_does_without: frozenset[str] = frozenset()

    @property
    def sysroots(self) -> Mapping[str, Path]:
        """torch version -> its pin file: aotwin's own, and those in `$AOTWIN_SYSROOTS`.

        Raises:
            ConfigurationError: `$AOTWIN_SYSROOTS` is no folder.
        """
        ending = f"-{self.name}.toml"
        return {
            path.name.removeprefix("torch-").removesuffix(ending): path
            for folder in (toolchain_path("targets/sysroots"), *_own_pins())
            for path in sorted(folder.glob(f"torch-*{ending}"))
        }

    @property
    def torch_versions(self) -> tuple[str, ...]:
        """The torch versions with a pinned sysroot, oldest first."""
        from packaging.version import Version

        return tuple(sorted(self.sysroots, key=Version))

    @property
    def newest_torch(self) -> str:
        """The newest torch version with a pinned sysroot."""
        return self.torch_versions[-1]

    def sysroot(self, torch_version: str) -> SysrootPin:
        """The pinned sysroot for a torch version.

        Raises:
            ConfigurationError: there is none for this version.
        """
        path = self.sysroots.get(torch_version)
        if path is None:
            raise ConfigurationError(
                f"there is no pinned sysroot for torch {torch_version} on {self.name}",
                cause=f"pinned are: {', '.join(self.torch_versions)}",
                next_step="Build with one of these torch versions, or pin this one for yourself: "
                f"aotwin toolchain pin torch=={torch_version} -o FOLDER, and set "
                f"{PINS_VARIABLE} to the folder.",
            )
        return read_pin(path)


def _own_pins() -> tuple[Path, ...]:
    """The user's own folder of pin files, if there is one."""
    chosen = os.environ.get(PINS_VARIABLE)
    if not chosen:
        return ()
    folder = Path(chosen).expanduser().absolute()
    if not folder.is_dir():
        raise ConfigurationError(
            f"{PINS_VARIABLE} is {chosen}, which is no folder",
            cause="it names the folder of your own pinned sysroots",
            next_step="Make one with aotwin toolchain pin torch==VERSION -o FOLDER, or unset it.",
        )
    return (folder,)


def read_pin(path: Path) -> SysrootPin:
    """The pinned sysroot in a file.

    Raises:
        ConfigurationError: it cannot be read, or is none.
    """
    try:
        return _parse_sysroot(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is no pinned sysroot",
            cause=f"{type(error).__name__}: {error}",
            next_step="Make it again with aotwin toolchain pin.",
        ) from error


def vc_runtime() -> VcRuntime:
    """The pinned VC++ run time."""
    data = _read("msvc-runtime.toml")
    members = data["members"]
    return VcRuntime(PinnedFile(**data["wheel"]), members["folder"], tuple(members["names"]))


def toolchain_path(name: str) -> Path:
    """A file or folder of `toolchains/`, installed or in a checkout."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "toolchains"
    # In a checkout (or an editable install) the data stays where the repository keeps it.
    return (installed if installed.is_dir() else here.parents[1] / "toolchains") / name


def known_targets() -> tuple[str, ...]:
    """Names of all targets, aliases left out, sorted."""
    return tuple(
        sorted(
            path.stem
            for path in toolchain_path("targets").glob("*.toml")
            if not path.name.startswith(("policy-", "msvc-runtime"))
        )
    )


@cache
def load_toolchain(target: str) -> Toolchain:
    """The toolchain of a target given by name or alias.

    Raises:
        ConfigurationError: no such target.
    """
    toolchains = {name: _parse(_read(f"{name}.toml")) for name in known_targets()}
    for toolchain in toolchains.values():
        if target == toolchain.name or target in toolchain.aliases:
            return toolchain
    names = sorted(
        spelling for each in toolchains.values() for spelling in (each.name, *each.aliases)
    )
    raise ConfigurationError(
        f"unknown target {target!r}",
        cause=f"known targets are: {', '.join(names)}",
        next_step="Say target=windows: --config-setting target=windows, or --target windows for "
        "the command aotwin.",
    )


def _read(name: str) -> dict[str, Any]:
    with toolchain_path(f"targets/{name}").open("rb") as file:
        data: dict[str, Any] = tomllib.load(file)
    return data


def _parse(data: dict[str, Any]) -> Toolchain:
    cpus = {
        name: Cpu(name=name, mcpu=row["mcpu"], simdlen=row["simdlen"], capability=row["capability"])
        for name, row in data["cpu"].items()
    }
    return Toolchain(
        name=data["name"],
        aliases=tuple(data["aliases"]),
        triple=data["triple"],
        wheel_tag=data["wheel_tag"],
        default_cpu=data["default_cpu"],
        cpus=cpus,
        compile_flags=tuple(data["compile"]["flags"]),
        definitions=tuple(data["compile"]["definitions"]),
        generated_definitions=tuple(data["compile"]["generated_definitions"]),
        dropped_definitions=frozenset(data["compile"]["dropped_definitions"]),
        link_flags=tuple(data["link"]["flags"]),
        runner_does_without=frozenset(data["runner"]["does_without"]),
    )


def _parse_sysroot(data: dict[str, Any]) -> SysrootPin:
    return SysrootPin(
        torch_version=data["torch_version"],
        torch=PinnedFile(**data["wheel"]["torch"]),
        openmp=PinnedFile(**data["wheel"]["openmp"]),
        import_libraries={
            dll: tuple(patterns) for dll, patterns in data["import_libraries"].items()
        },
        shims=dict(data.get("shims", {})),
        runner=frozenset(data.get("runner", {}).get("entry_points", ())),
    )
