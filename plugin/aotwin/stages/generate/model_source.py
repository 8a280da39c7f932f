"""What a model is built from, opened without importing torch before it is needed."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any, Protocol

from aotwin.configuration.checkers import is_program_reference
from aotwin.errors import ConfigurationError
from aotwin.stages.wrapper import is_wrapper, read_wrapper
from aotwin.target.toolchain import Cpu, Toolchain
from aotwin.values import ModelSpec, Wrapper
from aotwin.weights_source import WeightSource


class Generator(Protocol):
    """Gives a model's wrapper for a CPU level, as often as it is asked."""

    @property
    def torch_version(self) -> str:
        """The torch that the wrapper is for, and so the sysroot's."""
        ...

    def generate(self, cpu: Cpu) -> tuple[Wrapper, WeightSource]:
        """The wrapper and where its constants' bytes come from.

        Raises:
            AotwinError: see `stages.program.load_program` and `stages.generate.generate`; a ready
                wrapper may be one for another CPU level.
        """
        ...


def open_source(source: Any, spec: ModelSpec, project_dir: Path, toolchain: Toolchain) -> Generator:
    """Find out what a source is.

    Args:
        source: an exported program, "module:attribute", or a path.
        spec: the model's name and Inductor settings.
        project_dir: where modules are looked up.
        toolchain: the target.

    Raises:
        ConfigurationError: torch is missing in this environment, or of another version than the
            sysroot.
        WrapperError: a ready wrapper is not what AOTInductor writes, or is hostile.
        StorageError: it cannot be read.
    """
    is_path = isinstance(source, os.PathLike) or (
        isinstance(source, str) and not is_program_reference(source)
    )
    if is_path and (spec.wrapper is not None or is_wrapper(Path(source))):
        return _ReadyWrapper(Path(source), toolchain.newest_torch)
    return _Program(source, spec, project_dir, _installed_torch(toolchain))


class _ReadyWrapper:
    def __init__(self, path: Path, torch_version: str) -> None:
        self._path = path
        self.torch_version = torch_version
        # At once: what is wrong with it is said before anything is fetched or built.
        self._content = read_wrapper(path)

    def generate(self, cpu: Cpu) -> tuple[Wrapper, WeightSource]:
        wrapper, weights = self._content
        if cpu.capability not in wrapper.definitions:
            found = [each for each in wrapper.definitions if each.startswith("CPU_CAPABILITY_")]
            raise ConfigurationError(
                f"{self._path.name} was not generated for {cpu.name}",
                cause=f"its kernels are for {found[0] if found else 'no vector unit'}, "
                f"{cpu.name} needs {cpu.capability}",
                next_step=f"Generate it with cpp.simdlen={cpu.simdlen}, or name its cpu.",
            )
        return wrapper, weights


class _Program:
    def __init__(self, source: Any, spec: ModelSpec, project_dir: Path, torch_version: str) -> None:
        self._source = source
        self._spec = spec
        self._project_dir = project_dir
        self._program: Any = None
        self.torch_version = torch_version

    def generate(self, cpu: Cpu) -> tuple[Wrapper, WeightSource]:
        from aotwin.stages.generate.aotinductor import generate
        from aotwin.stages.generate.program import load_program, require_program

        if self._program is None:
            self._program = (
                load_program(os.fspath(self._source), self._project_dir)
                if isinstance(self._source, (str, os.PathLike))
                else require_program(self._source)
            )
        return generate(
            self._program,
            name=self._spec.stem,
            simdlen=cpu.simdlen,
            inductor=self._spec.inductor,
        )


def _installed_torch(toolchain: Toolchain) -> str:
    """The version of torch in this environment, without importing it."""
    try:
        installed = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError(
            "torch is missing in the build environment",
            cause="a program is compiled with torch; only a ready wrapper needs none",
            next_step=f'Add "torch=={toolchain.newest_torch}" to build-system.requires.',
        ) from None
    version = installed.partition("+")[0]
    if version not in toolchain.sysroots:
        raise ConfigurationError(
            f"torch {installed} in the build environment has no sysroot of the same version",
            cause=f"pinned for {toolchain.name} are: {', '.join(sorted(toolchain.sysroots))}",
            next_step=f'Say "torch=={toolchain.newest_torch}" in build-system.requires.',
        )
    return version
