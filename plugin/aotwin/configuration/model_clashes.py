"""Models of one project that could not lie in one package: refused before anything is built."""

from __future__ import annotations

from collections.abc import Sequence

from aotwin.errors import ConfigurationError
from aotwin.model_spec import SDK_STEMS, ModelSpec


def refuse_clashes(models: Sequence[ModelSpec]) -> None:
    """Refuse models that would be in each other's or the SDK's way.

    Raises:
        ConfigurationError: naming them.
    """
    _refuse_twins(models)
    for model in models:
        if model.sdk:
            _refuse_names_of_the_sdk(model, models)


def _refuse_twins(models: Sequence[ModelSpec]) -> None:
    seen: dict[str, str] = {}
    for model in models:
        other = seen.setdefault(model.name.lower(), model.name)
        if other != model.name:
            raise ConfigurationError(
                f"the models {other!r} and {model.name!r} of tool.aotwin.models are one on Windows",
                cause="their names differ only by case",
                next_step="Rename one of them.",
            )


def _refuse_names_of_the_sdk(model: ModelSpec, models: Sequence[ModelSpec]) -> None:
    where = f'tool.aotwin.models."{model.name}".sdk'
    if model.stem.lower() in SDK_STEMS:
        raise ConfigurationError(
            f"{where} is true for a model named {model.stem}",
            cause="the SDK's own library has that name, and a model's import library is named for "
            "the model",
            next_step="Give the model another name in [tool.aotwin.models].",
        )
    package = f"{model.name}.sdk"
    for other in models:
        if f"{other.name}.".lower().startswith(f"{package}.".lower()):
            raise ConfigurationError(
                f"{where} is true, and there is a model {other.name}",
                cause=f"both would be in the folder {package.replace('.', '/')}",
                next_step="Rename the second one.",
            )
