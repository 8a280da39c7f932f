"""The build backend: the hooks of PEP 517 and PEP 660.

Importing this module loads neither setuptools nor the PE readers nor torch: frontends run each
hook in a process of its own, and most hooks need little.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from aotwin.adapters.tools import setuptools_bridge
from aotwin.configuration.settings import ConfigSettings, Settings, load_settings
from aotwin.errors import AotwinError, ConfigurationError
from aotwin.reproducible import source_date_epoch
from aotwin.termination import terminable

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _hook(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The one boundary: an error that a user can cause becomes one message and exit code 1."""

    @functools.wraps(function)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with terminable():
            try:
                return function(*args, **kwargs)
            except AotwinError as error:
                sys.stdout.flush()
                print(f"aotwin: error: {error}", file=sys.stderr, flush=True)
                raise SystemExit(1) from error

    return guarded


@_hook
def get_requires_for_build_wheel(config_settings: ConfigSettings | None = None) -> list[str]:
    """setuptools' own answer; wrong settings stop here, before anything is built."""
    return _get_requires("wheel", _load(config_settings))


@_hook
def get_requires_for_build_sdist(config_settings: ConfigSettings | None = None) -> list[str]:
    """setuptools' own answer; wrong settings stop here, before anything is built."""
    return _get_requires("sdist", _load(config_settings))


@_hook
def get_requires_for_build_editable(config_settings: ConfigSettings | None = None) -> list[str]:
    """setuptools' own answer; a target is refused here, before anything is built."""
    return _get_requires("editable", _without_target(_load(config_settings)))


@_hook
def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: ConfigSettings | None = None
) -> str:
    """Write the `.dist-info` folder that the wheel will have; returns its name."""
    return _prepare_metadata("wheel", metadata_directory, _load(config_settings))


@_hook
def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: ConfigSettings | None = None
) -> str:
    """Write the `.dist-info` folder of an editable install; returns its name."""
    settings = _without_target(_load(config_settings))
    return _prepare_metadata("editable", metadata_directory, settings)


@_hook
def build_wheel(
    wheel_directory: str,
    config_settings: ConfigSettings | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the project's wheel, with its models if there is a target; returns its file name."""
    settings = _load(config_settings)
    if settings.target is None:
        _say_what_is_left_out(settings)
        return setuptools_bridge.build(
            "wheel", Path(wheel_directory), settings.setuptools, metadata_directory
        )
    # Only here: it brings the PE readers along, which no other hook needs.
    from aotwin.pipeline import wheel
    from aotwin.progress import Progress, commands_shown

    progress = Progress(quiet=settings.quiet)
    with (
        setuptools_bridge.pure_wheel(settings.setuptools, metadata_directory) as pure_wheel,
        commands_shown(progress, settings.verbose),
    ):
        return wheel.build_wheel(settings, pure_wheel, Path(wheel_directory), progress=progress)


@_hook
def build_sdist(sdist_directory: str, config_settings: ConfigSettings | None = None) -> str:
    """Build the project's sdist, with what its models are built from; returns its file name."""
    settings = _load(config_settings)
    # Wings are imported by the hooks that enter them: most hooks need none.
    from aotwin.adapters.archives.sdist_tar import write_sdist
    from aotwin.stages.model_files import model_sources

    additions = model_sources(settings.project_dir, settings.models)
    with setuptools_bridge.sdist(settings.setuptools) as sdist:
        write_sdist(
            sdist,
            Path(sdist_directory) / sdist.name,
            project_dir=settings.project_dir,
            additions=additions,
            epoch=source_date_epoch(),
        )
        return sdist.name


@_hook
def build_editable(
    wheel_directory: str,
    config_settings: ConfigSettings | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build an editable wheel, which cannot hold models; returns its file name."""
    settings = _without_target(_load(config_settings))
    _say_what_is_left_out(settings)
    return setuptools_bridge.build(
        "editable", Path(wheel_directory), settings.setuptools, metadata_directory
    )


def _load(config_settings: ConfigSettings | None) -> Settings:
    """The settings of the project in the working folder, which is where frontends run hooks."""
    # setuptools reads the variable as well, and ends in a traceback where it is malformed.
    source_date_epoch()
    return load_settings(Path.cwd(), config_settings)


def _get_requires(kind: str, settings: Settings) -> list[str]:
    needed = setuptools_bridge.get_requires(kind, settings.setuptools)
    if kind == "wheel" and settings.target is not None and settings.check == "run":
        # Results are compared with it; torch does not bring it along.
        needed.append("numpy>=1.26")
    return needed


def _prepare_metadata(kind: str, directory: str, settings: Settings) -> str:
    dist_info = setuptools_bridge.prepare_metadata(kind, Path(directory), settings.setuptools)
    top_level = dist_info / "top_level.txt"
    if settings.target is not None and top_level.is_file():
        from aotwin.stages.pack import add_top_levels

        names = (model.name for model in settings.models)
        top_level.write_bytes(add_top_levels(top_level.read_bytes(), names))
    return dist_info.name


def _without_target(settings: Settings) -> Settings:
    if settings.target is not None:
        raise ConfigurationError(
            f"an editable install cannot be built for target {settings.target}",
            cause="it runs the project's files where they lie, on this machine",
            next_step="Leave target out for editable installs (--config-setting target=none where "
            "pyproject.toml says a target), and build a wheel for the target.",
        )
    return settings


def _say_what_is_left_out(settings: Settings) -> None:
    if settings.models:
        names = ", ".join(model.name for model in settings.models)
        print(
            f"aotwin: left out {_count(len(settings.models))} ({names}); "
            "--config-setting target=windows builds them",
            file=sys.stderr,
            flush=True,
        )


def _count(models: int) -> str:
    return "1 model" if models == 1 else f"{models} models"
