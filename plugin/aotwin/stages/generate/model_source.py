"""What a model is built from, opened without importing torch before it is needed."""

from __future__ import annotations

import atexit
import gc
import importlib.metadata
import os
import sys
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aotwin.adapters.storage.results import REMEMBERED
from aotwin.configuration.checkers import is_program_reference
from aotwin.errors import ConfigurationError
from aotwin.model_spec import ModelSpec
from aotwin.progress import note
from aotwin.proof_samples import Samples
from aotwin.stages.generate.inductor_isolation import rare_collection
from aotwin.stages.generate.remarks import remarks_on_torch
from aotwin.stages.generate.saved_program import SavedProgram
from aotwin.stages.wrapper import Origin, is_wrapper, origin_of, read_wrapper
from aotwin.target.toolchain import Cpu, Toolchain
from aotwin.values import Wrapper
from aotwin.weights_source import MemoryWeights, WeightSource

if TYPE_CHECKING:
    from aotwin.stages.generate.aotinductor import Lowering


class Generator(Protocol):
    """Gives a model's wrapper for a CPU level, as often as it is asked."""

    @property
    def torch_version(self) -> str:
        """The torch that the wrapper is for, and so the sysroot's."""
        ...

    def generate(self, cpu: Cpu, *, over_torch: bool = False) -> tuple[Wrapper, WeightSource]:
        """The wrapper and where its constants' bytes come from.

        Args:
            over_torch: whether it is to run over torch, though its table leaves that open.

        Raises:
            AotwinError: see `stages.program.load_program` and `stages.generate.generate`; a ready
                wrapper may be one for another CPU level.
        """
        ...

    def is_ready(self, cpus: Collection[Cpu]) -> bool:
        """Whether nothing has to be lowered: the wrapper is there, or remembered for each level.

        The program is loaded for that where it has to be, and stays so for `generate`.

        Raises:
            AotwinError: as `generate` does.
        """
        ...

    def samples(self, folder: Path) -> Samples:
        """What the model is proven with; eager runs here.

        Args:
            folder: where inputs and results go.

        Raises:
            AotwinError: there are none, or they do not fit the model.
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
        return _ReadyWrapper(Path(source), spec, toolchain)
    if spec.torch:
        raise ConfigurationError(
            f"{spec.name} says torch = {spec.torch!r}, and is no ready wrapper",
            cause="a program is compiled by the torch that is installed in the build environment",
            next_step="Leave the key out, and install that torch.",
        )
    return _Program(source, spec, project_dir, _installed_torch(toolchain))


class _ReadyWrapper:
    def __init__(self, path: Path, spec: ModelSpec, toolchain: Toolchain) -> None:
        self._path = path
        self._spec = spec
        named = spec.torch
        # At once: what is wrong with it is said before anything is fetched or built.
        wrapper, self._weights = read_wrapper(path)
        origin = origin_of(wrapper)
        self.torch_version, remark = _torch_of(path, origin, named, toolchain)
        known = origin.version or named or str(origin)
        warnings = (*wrapper.warnings, *([remark] if remark else []))
        self._wrapper = replace(wrapper, torch_version=known, warnings=warnings)

    def generate(
        self,
        cpu: Cpu,
        *,
        over_torch: bool = False,  # noqa: ARG002 - it has been generated
    ) -> tuple[Wrapper, WeightSource]:
        wrapper, weights = self._wrapper, self._weights
        if cpu.capability not in wrapper.definitions:
            found = [each for each in wrapper.definitions if each.startswith("CPU_CAPABILITY_")]
            raise ConfigurationError(
                f"{self._path.name} was not generated for {cpu.name}",
                cause=f"its kernels are for {found[0] if found else 'no vector unit'}, "
                f"{cpu.name} needs {cpu.capability}",
                next_step=f"Generate it with cpp.simdlen={cpu.simdlen}, or name its cpu.",
            )
        return wrapper, weights

    def is_ready(self, cpus: Collection[Cpu]) -> bool:  # noqa: ARG002 - whichever they are
        return True

    def samples(self, folder: Path) -> Samples:
        from aotwin.stages.generate.sample_archive import archive_samples

        proof = self._spec.proof
        if not isinstance(proof, Path):
            raise ConfigurationError(
                f"{self._spec.name} has no samples to prove it with",
                cause="a ready wrapper has no example inputs, and nothing here runs it eagerly",
                next_step='Name an .npz with inputs and results: proof = "samples.npz". See '
                "docs/how-to/prove-a-model.md for how it is written.",
            )
        return archive_samples(proof, self._wrapper, folder)


def _torch_of(path: Path, origin: Origin, named: str, toolchain: Toolchain) -> tuple[str, str]:
    """The torch whose headers a ready wrapper is compiled against, and a remark on the choice."""
    pinned = toolchain.torch_versions
    if named and not origin.admits(named):
        raise ConfigurationError(
            f"{path.name} was not generated by torch {named}",
            cause=f"by its text it is of torch {origin}",
            next_step="Correct `torch` in the model's table, or leave it out.",
        )
    if named:
        toolchain.sysroot(named)
        return named, ""
    fitting = [version for version in pinned if origin.admits(version)]
    if not fitting:
        raise ConfigurationError(
            f"{path.name} was generated by torch {origin}, which no sysroot is pinned for",
            cause=f"pinned for {toolchain.name} are: {', '.join(pinned)}",
            next_step="Generate it with one of these, or pin its torch for yourself: "
            "aotwin toolchain pin torch==VERSION -o FOLDER, and set AOTWIN_SYSROOTS to the folder.",
        )
    if len(fitting) == 1:
        return fitting[0], ""
    return fitting[-1], (
        f"{path.name} may be of torch {' or '.join(fitting)}: it is built for {fitting[-1]}. Say "
        'which in the model\'s table: torch = "..."'
    )


#: run time -> dtypes of linear layers that may become one operator with what follows. A model for
#: "auto" may end over torch, whose operator needs a CPU with instructions for half precision.
_FUSED = {"own": ("float32", "bfloat16", "float16"), "auto": ("float32",), "torch": ()}


#: the file of a program, where it lies in one, and what is remembered of it
_Asked: TypeAlias = tuple[SavedProgram | None, tuple[Wrapper, WeightSource] | None]


class _Program:
    def __init__(self, source: Any, spec: ModelSpec, project_dir: Path, torch_version: str) -> None:
        self._source = source
        self._spec = spec
        self._project_dir = project_dir
        self._program: Any = None
        #: whether torch was imported for this program; None before the first is generated
        self._untouched: bool | None = None
        #: CPU level and fused dtypes -> what `is_ready` has begun, for `generate` to take
        self._asked: dict[tuple[Cpu, tuple[str, ...]], _Asked] = {}
        self._lowerings: dict[tuple[Cpu, tuple[str, ...]], Lowering] = {}
        self.torch_version = torch_version

    def is_ready(self, cpus: Collection[Cpu]) -> bool:
        fused = _FUSED[self._spec.runtime]
        # Each is asked for, also behind one that is missing: a shared store is asked from here.
        found = [self._recalled(cpu, fused) for cpu in cpus]
        return all(found)

    def generate(self, cpu: Cpu, *, over_torch: bool = False) -> tuple[Wrapper, WeightSource]:
        fused = _FUSED["torch" if over_torch else self._spec.runtime]
        saved, found = self._of_file(cpu, fused)
        if found is not None:
            note(REMEMBERED)
            return found
        wrapper, weights = self._lowering(cpu, fused).generate()
        if saved is not None:
            weights = MemoryWeights(weights.regions, weights, saved.remember(wrapper, weights))
        return replace(wrapper, warnings=(*remarks_on_torch(), *wrapper.warnings)), weights

    def _recalled(self, cpu: Cpu, fused: Collection[str]) -> bool:
        """Whether a wrapper is remembered; `generate` does not ask again."""
        key = (cpu, tuple(fused))
        self._asked[key] = self._of_file(cpu, fused)
        if self._asked[key][1] is not None:
            return True
        self._lowerings[key] = self._lowering(cpu, fused)
        return self._lowerings[key].remembered is not None

    def _of_file(self, cpu: Cpu, fused: Collection[str]) -> _Asked:
        """The file of the program, where it lies in one, and what is remembered of it."""
        asked = self._asked.pop((cpu, tuple(fused)), None)
        if asked is not None:
            return asked
        saved = self._saved(cpu, fused)
        return saved, saved.recall() if saved is not None else None

    def _saved(self, cpu: Cpu, fused: Collection[str]) -> SavedProgram | None:
        """What is remembered of a program that lies in a file, without torch.

        Only where nobody else has imported torch before: its settings, which can be changed in
        the process, are then those that the environment gives.
        """
        if self._untouched is None:
            self._untouched = "torch" not in sys.modules
        if not self._untouched or not isinstance(self._source, (str, os.PathLike)):
            return None
        reference = os.fspath(self._source)
        if is_program_reference(reference):
            return None
        decided_by = [self._spec.stem, cpu.simdlen, self._spec.inductor, [*fused]]
        return SavedProgram(self._project_dir / reference, decided_by)

    def _lowering(self, cpu: Cpu, fused: Collection[str]) -> Lowering:
        from aotwin.stages.generate.aotinductor import Lowering

        begun = self._lowerings.pop((cpu, tuple(fused)), None)
        if begun is not None:
            return begun
        spec = self._spec
        return Lowering(self._loaded(), spec.stem, cpu.simdlen, spec.inductor, fused)

    def samples(self, folder: Path) -> Samples:
        from aotwin.stages.generate.eager import eager_samples
        from aotwin.stages.generate.sample_calls import load_calls, read_calls

        program, proof = self._loaded(), self._spec.proof
        if proof is None:
            return eager_samples(program, None, "example inputs", folder)
        if isinstance(proof, str):
            return eager_samples(program, load_calls(proof, self._project_dir), proof, folder)
        if isinstance(proof, Path):
            raise ConfigurationError(
                f"{self._spec.name} has an .npz for its proof, and is no ready wrapper",
                cause="what a program gives is computed eagerly; it needs inputs only",
                next_step='Say proof = "module:attribute", a list of pairs (args, kwargs).',
            )
        calls = read_calls(proof, "arguments", self._project_dir)
        return eager_samples(program, calls, "arguments", folder)

    def _loaded(self) -> Any:
        from aotwin.stages.generate.program import load_program, require_program

        _end_without_collection()
        if self._program is None:
            with rare_collection():
                self._program = (
                    load_program(os.fspath(self._source), self._project_dir)
                    if isinstance(self._source, (str, os.PathLike))
                    else require_program(self._source)
                )
        return self._program


@cache
def _end_without_collection() -> None:
    """Let this process end without a search for garbage among all that torch has made: seconds."""
    atexit.register(gc.freeze)


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
            cause=f"pinned for {toolchain.name} are: {', '.join(toolchain.torch_versions)}",
            next_step=f'Say "torch=={toolchain.newest_torch}" in build-system.requires, or pin '
            f"this one for yourself: aotwin toolchain pin torch=={version} -o FOLDER, and set "
            "AOTWIN_SYSROOTS to the folder.",
        )
    return version
