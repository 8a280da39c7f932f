"""The project's settings: environment over config settings over pyproject.toml over defaults."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aotwin.configuration.checkers import (
    NO_TARGET,
    check_cpus,
    check_model_name,
    is_program_reference,
    unknown,
    wrong,
    yes_or_no,
)
from aotwin.configuration.model_clashes import refuse_clashes
from aotwin.configuration.schema import MODEL_KEYS, OTHER_VARIABLES, PROJECT_KEYS
from aotwin.errors import ConfigurationError
from aotwin.model_spec import ModelSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: what PEP 517 frontends hand to a hook; pypa/build gives lists for repeated keys
ConfigSettings = Mapping[str, "str | list[str] | None"]

#: config settings that setuptools.build_meta reads (its _ConfigSettingsTranslator)
SETUPTOOLS_SETTINGS = frozenset(
    {
        "--global-option",
        "--build-option",
        "editable_mode",
        "editable-mode",
        "verbose",
        "--verbose",
        "quiet",
        "--quiet",
        "tag-date",
        "tag-build",
    }
)

_PREFIX = "AOTWIN_"
_SETTINGS = tuple(name for name, key in PROJECT_KEYS.items() if key.setting)


@dataclass(frozen=True)
class Settings:
    """Everything that a build needs to know about the user's project, checked."""

    #: absolute
    project_dir: Path
    #: a target's full name, or None: leave the models out
    target: str | None
    #: in the order of pyproject.toml; paths in them are absolute, cpus are filled in if there is
    #: a target
    models: tuple[ModelSpec, ...]
    #: cpus that overrule every model's own, from the environment or a config setting
    cpu: tuple[str, ...] | None
    #: processes at a time
    jobs: int
    #: "static", "wine" or "run"
    check: str
    #: whether a page about the wheel is written beside it
    report: bool
    #: where the seconds of each stage go; a relative path is from the wheel's folder
    timings: Path | None
    #: the config settings that are for setuptools
    setuptools: Mapping[str, str | list[str] | None]

    @property
    def verbose(self) -> bool:
        """Whether commands are printed: setuptools' setting is ours, too."""
        return bool({"verbose", "--verbose"} & self.setuptools.keys())

    @property
    def quiet(self) -> bool:
        """Whether nothing but warnings is printed: setuptools' setting is ours, too."""
        return bool({"quiet", "--quiet"} & self.setuptools.keys())


def load_settings(
    project_dir: Path,
    config_settings: ConfigSettings | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read and check the settings of one build.

    Args:
        project_dir: the folder of pyproject.toml.
        config_settings: as the frontend hands them to a hook.
        environ: where the `AOTWIN_*` variables are looked up.

    Raises:
        ConfigurationError: something is unknown, malformed, or missing for the target.
    """
    project_dir = project_dir.resolve()
    table = _read_table(project_dir / "pyproject.toml")
    ours, setuptools = _split(config_settings or {})
    said = {
        name: PROJECT_KEYS[name].check(value, f"tool.aotwin.{name}")
        for name, value in table.items()
    }
    overrides = _from_config_settings(ours) | _from_environment(environ)
    chosen = said | overrides
    target = chosen.get("target", NO_TARGET)
    models = tuple(
        _model(name, value, project_dir) for name, value in said.get("models", {}).items()
    )
    refuse_clashes(models)
    models = tuple(
        replace(
            model,
            runtime=overrides.get("runtime") or model.runtime or said.get("runtime", "auto"),
        )
        for model in models
    )
    if target == NO_TARGET:
        target = None
    else:
        models = _for_target(models, target, overrides.get("cpu"), said.get("cpu"))
    return Settings(
        project_dir=project_dir,
        target=target,
        models=models,
        cpu=overrides.get("cpu"),
        jobs=chosen.get("jobs", len(os.sched_getaffinity(0))),
        check=chosen.get("check", "static"),
        report=chosen.get("report", False),
        timings=chosen.get("timings"),
        setuptools=setuptools,
    )


def _read_table(pyproject: Path) -> Mapping[str, Any]:
    try:
        with pyproject.open("rb") as file:
            data = tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(
            f"{pyproject} cannot be read",
            cause=error.strerror or str(error),
            next_step="Run the build in the folder that holds pyproject.toml.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{pyproject} is no valid TOML", cause=str(error), next_step="Correct that line of it."
        ) from error
    tool = data.get("tool", {})
    table = tool.get("aotwin", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise wrong("tool.aotwin", table, "a table")
    for key in table:
        if key not in PROJECT_KEYS:
            raise unknown(f"key tool.aotwin.{key}", key, PROJECT_KEYS)
    return table


def _split(
    config_settings: ConfigSettings,
) -> tuple[ConfigSettings, dict[str, str | list[str] | None]]:
    ours: dict[str, str | list[str] | None] = {}
    setuptools: dict[str, str | list[str] | None] = {}
    for key, value in config_settings.items():
        if key in _SETTINGS:
            ours[key] = value
        elif key in SETUPTOOLS_SETTINGS:
            setuptools[key] = value
        else:
            raise unknown(f"config setting {key!r}", key, (*_SETTINGS, *SETUPTOOLS_SETTINGS))
    return ours, setuptools


def _from_config_settings(config_settings: ConfigSettings) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in config_settings.items():
        words = value if isinstance(value, list) else [] if value is None else [value]
        values[name] = _parse(name, words, f"config setting {name}")
    return values


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    known = {f"{_PREFIX}{name.upper()}": name for name in _SETTINGS}
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(_PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in known:
            raise unknown(f"environment variable {variable}", variable, (*known, *OTHER_VARIABLES))
        # An empty variable is how shells and CI services say "not set".
        if environ[variable]:
            name = known[variable]
            values[name] = _parse(name, [environ[variable]], f"environment variable {variable}")
    return values


def _parse(name: str, words: Sequence[str], where: str) -> Any:
    """Turn the words of a command line into what TOML would give, and check that."""
    key = PROJECT_KEYS[name]
    if name == "cpu":
        return key.check([part.strip() for word in words for part in word.split(",")], where)
    if len(words) != 1:
        raise wrong(where, list(words), "one value", "Say it once.")
    if name == "jobs" and words[0].isascii() and words[0].isdigit():
        return key.check(int(words[0]), where)
    if key.check is yes_or_no and words[0] in ("true", "false"):
        return words[0] == "true"
    return key.check(words[0], where)


def _model(name: str, value: object, project_dir: Path) -> ModelSpec:
    where = f'tool.aotwin.models."{name}"'
    check_model_name(name, where)
    if not isinstance(value, dict):
        raise wrong(where, value, "a table")
    for key in value:
        if key not in MODEL_KEYS:
            raise unknown(f"key {where}.{key}", key, MODEL_KEYS)
    said = {key: MODEL_KEYS[key].check(entry, f"{where}.{key}") for key, entry in value.items()}
    _require_one_origin(said, where)
    program = said.get("program")
    if program is not None and not is_program_reference(program):
        program = str(_inside(project_dir, program, f"{where}.program"))
    wrapper, prebuilt = said.get("wrapper"), said.get("prebuilt")
    return ModelSpec(
        name=name,
        program=program,
        wrapper=_inside(project_dir, wrapper, f"{where}.wrapper") if wrapper else None,
        cpu=said.get("cpu", ()),
        inductor=said.get("inductor", {}),
        sign=said.get("sign"),
        sdk=said.get("sdk", False),
        # "" where the model says nothing: what is said for the project comes last.
        runtime=said.get("runtime", ""),
        torch=said.get("torch", ""),
        proof=_proof(said, where, project_dir),
        proof_tolerance=said.get("proof-tolerance"),
        proof_data=said.get("proof-data"),
        prebuilt=_inside(project_dir, prebuilt, f"{where}.prebuilt") if prebuilt else None,
    )


def _proof(said: Mapping[str, Any], where: str, project_dir: Path) -> str | Path | None:
    """What a model is proven with: a reference for a program, an archive for a ready wrapper."""
    proof = said.get("proof")
    if proof is None:
        return None
    if is_program_reference(proof) != ("program" in said):
        raise ConfigurationError(
            f"{where}.proof is {proof!r} for a {'program' if 'program' in said else 'wrapper'}",
            cause="a program is run eagerly, and needs calls in Python; a ready wrapper comes with "
            "inputs and expected results in an .npz",
            next_step="See docs/how-to/prove-a-model.md for both.",
        )
    return proof if "program" in said else _inside(project_dir, proof, f"{where}.proof")


#: what a model is made from
_ORIGINS = ("program", "wrapper", "prebuilt")


def _require_one_origin(said: Mapping[str, Any], where: str) -> None:
    named = [key for key in _ORIGINS if key in said]
    if len(named) != 1:
        raise ConfigurationError(
            f"{where} has {' and '.join(named) or 'neither program nor wrapper nor prebuilt'}",
            cause="a model is made from exactly one of them",
            next_step='Say either program = "module:attribute", wrapper = "model.pt2", or '
            'prebuilt = "folder".',
        )
    others = [key for key in said if key not in ("prebuilt", "sign")]
    if named == ["prebuilt"] and others:
        raise ConfigurationError(
            f"{where} has prebuilt and {', '.join(others)}",
            cause="those were decided where the model was built",
            next_step="Leave them out here, and say them to aotwin build.",
        )


def _inside(project_dir: Path, relative: str, where: str) -> Path:
    path = project_dir / relative
    if not path.resolve().is_relative_to(project_dir):
        raise ConfigurationError(
            f"{where} leads out of the project",
            cause=f"{relative} is a link to {path.resolve()}",
            next_step="Copy the file into the project, so that an sdist can hold it.",
        )
    return path


def _for_target(
    models: Sequence[ModelSpec],
    target: str,
    override: tuple[str, ...] | None,
    project: tuple[str, ...] | None,
) -> tuple[ModelSpec, ...]:
    """The models with their cpus filled in and checked, their files seen."""
    from aotwin.target.toolchain import load_toolchain

    if not models:
        raise ConfigurationError(
            f"no model is configured for target {target}",
            cause="pyproject.toml has no table [tool.aotwin.models]",
            next_step='Add [tool.aotwin.models."demo.classifier"] with '
            'program = "export_model:classifier".',
        )
    finished = []
    for model in models:
        where = f'tool.aotwin.models."{model.name}"'
        for key, path in _files(model):
            if not path.exists():
                raise ConfigurationError(
                    f"{where}.{key} does not exist",
                    cause=f"there is no {path}",
                    next_step="Create it, or correct the path, relative to pyproject.toml.",
                )
        check_cpus(model.cpu, target, f"{where}.cpu")
        cpu = override or model.cpu or project or (load_toolchain(target).default_cpu,)
        check_cpus(cpu, target, "the setting cpu")
        finished.append(replace(model, cpu=cpu))
    return tuple(finished)


def _files(model: ModelSpec) -> Iterator[tuple[str, Path]]:
    """Files that a model's table names, each with its key."""
    if model.wrapper is not None:
        yield "wrapper", model.wrapper
    elif model.prebuilt is not None:
        yield "prebuilt", model.prebuilt
    elif model.program is not None and not is_program_reference(model.program):
        yield "program", Path(model.program)
    if isinstance(model.proof, Path):
        yield "proof", model.proof
