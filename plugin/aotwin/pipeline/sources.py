"""What the models of a project are made from, opened before anything is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aotwin.configuration.settings import Settings
from aotwin.errors import ConfigurationError
from aotwin.model_spec import ModelSpec
from aotwin.prebuilt_folder import Prebuilt, open_prebuilt
from aotwin.stages.generate import Generator, open_source
from aotwin.target.toolchain import Toolchain


@dataclass(frozen=True)
class Sources:
    """What the models of a project are made from."""

    #: those that are compiled here, each with what generates its C++
    compiled: Sequence[tuple[ModelSpec, Generator]]
    prebuilt: Sequence[Prebuilt]
    #: the torch of all of them
    torch_version: str


def open_sources(settings: Settings, toolchain: Toolchain) -> Sources:
    """Open what each model of a project is made from.

    Raises:
        ConfigurationError: one of them is not what the project says, or they do not go together.
        AotwinError: whatever else a source can be wrong by.
    """
    compiled = [
        (
            spec,
            open_source(spec.wrapper or spec.program, spec, settings.project_dir, toolchain),
        )
        for spec in settings.models
        if spec.prebuilt is None
    ]
    prebuilt = [open_prebuilt(spec, toolchain) for spec in settings.models if spec.prebuilt]
    versions = {spec.name: generator.torch_version for spec, generator in compiled}
    versions |= {each.spec.name: each.manifest.torch_version for each in prebuilt}
    return Sources(compiled, prebuilt, _require_one_torch(versions))


def _require_one_torch(versions: Mapping[str, str]) -> str:
    """The torch of all models of a wheel: they are compiled, checked and billed against one.

    Args:
        versions: model -> its torch.
    """
    if len(set(versions.values())) > 1:
        raise ConfigurationError(
            "the models of this project are of different torch versions",
            cause=", ".join(f"{name} of torch {version}" for name, version in versions.items()),
            next_step="Generate them with one torch, or give them projects of their own.",
        )
    return next(iter(versions.values()))
