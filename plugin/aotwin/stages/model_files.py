"""Which files of a project its models are built from: what an sdist has to hold.

Nothing is imported or run: modules are found by looking, and what they import by reading them.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aotwin.configuration.checkers import is_program_reference
from aotwin.errors import ConfigurationError, StorageError
from aotwin.model_spec import ModelSpec

#: folders of a project in which top-level modules are looked for
SOURCE_ROOTS = ("", "src")

_LEFT_OUT_FOLDERS = (".egg-info", ".dist-info", "__pycache__")


def model_sources(project_dir: Path, models: Sequence[ModelSpec]) -> tuple[str, ...]:
    """The files that the models are built from.

    A program's module brings its whole package, or itself if it is in none, and the project's
    modules that it imports, directly or not. A module that is not in the project comes from a
    build requirement and brings nothing.

    Args:
        project_dir: absolute, links resolved.
        models: with absolute paths, as `aotwin.configuration.settings` gives them.

    Returns:
        Paths relative to `project_dir`, with forward slashes, sorted.

    Raises:
        ConfigurationError: a source is missing, or lies outside of the project.
        StorageError: a file or folder cannot be read.
    """
    files: set[Path] = set()
    for model in models:
        ready = model.wrapper or model.prebuilt
        if ready is not None:
            files.update(_all_files(ready))
        elif model.program is not None and is_program_reference(model.program):
            files.update(_program_files(project_dir, model.program.partition(":")[0]))
        elif model.program is not None:
            files.add(Path(model.program))
        if isinstance(model.proof, str):
            files.update(_program_files(project_dir, model.proof.partition(":")[0]))
        elif isinstance(model.proof, Path):
            files.add(model.proof)
    return tuple(sorted(_relative(file, project_dir) for file in files))


@dataclass(frozen=True)
class _Module:
    """A module of the project, found by its path."""

    #: dotted
    name: str
    file: Path
    is_package: bool

    @property
    def package(self) -> str:
        """What relative imports in it are relative to."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


def _program_files(project_dir: Path, name: str) -> set[Path]:
    """The package of a program, and every module of the project that it reaches by imports."""
    modules: dict[str, _Module] = {}
    waiting = _with_parents(name)
    while waiting:
        name_now = waiting.pop()
        if name_now in modules:
            continue
        module = _find_module(project_dir, name_now)
        if module is not None:
            modules[name_now] = module
            waiting.extend(_imported_names(module))
    files = {module.file for module in modules.values()}
    package = next((modules[each] for each in _with_parents(name) if each in modules), None)
    if package is not None and package.is_package:
        files.update(_all_files(package.file.parent))
    return files


def _with_parents(name: str) -> list[str]:
    """ "a.b.c" -> ["a", "a.b", "a.b.c"]."""
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _find_module(project_dir: Path, name: str) -> _Module | None:
    parts = name.split(".")
    for root in SOURCE_ROOTS:
        base = project_dir.joinpath(root, *parts)
        if (base / "__init__.py").is_file():
            return _Module(name, base / "__init__.py", is_package=True)
        file = base.with_name(f"{parts[-1]}.py")
        if file.is_file():
            return _Module(name, file, is_package=False)
    return None


def _imported_names(module: _Module) -> Iterator[str]:
    """Every dotted name that the module may import; names that are no modules do no harm."""
    try:
        tree = ast.parse(_read(module.file))
    except (SyntaxError, ValueError, RecursionError):
        # Whoever runs the module gives the better message.
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.package.split(".")
                kept = above[: len(above) - node.level + 1]
                base = ".".join([*kept, *([base] if base else [])])
            for alias in node.names:
                yield from _with_parents(f"{base}.{alias.name}" if base else alias.name)


def _all_files(path: Path) -> Iterator[Path]:
    """A file itself, or what a folder holds but for caches and hidden files."""
    if not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path, onerror=_unreadable):
        for name in folders:
            if (link := Path(folder, name)).is_symlink():
                raise ConfigurationError(
                    f"{link} is a link to a folder, which an sdist cannot hold",
                    cause=f"it is among the files that a model is built from, in {path}",
                    next_step="Replace the link by the folder itself.",
                )
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not name.endswith(_LEFT_OUT_FOLDERS)
        ]
        for name in files:
            if not name.startswith(".") and not name.endswith(".pyc"):
                yield Path(folder, name)


def _relative(file: Path, project_dir: Path) -> str:
    if not file.is_file():
        raise ConfigurationError(
            f"{file} does not exist, though a model is built from it",
            cause="an sdist without it could not be built into a wheel",
            next_step="Create it, or correct its path in pyproject.toml.",
        )
    if not file.resolve().is_relative_to(project_dir):
        raise ConfigurationError(
            f"{file} lies outside of the project, though a model is built from it",
            cause=f"it is a link to {file.resolve()}",
            next_step="Copy the file into the project, so that an sdist can hold it.",
        )
    return file.relative_to(project_dir).as_posix()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable_error(error) from error


def _unreadable(error: OSError) -> None:
    raise _unreadable_error(error) from error


def _unreadable_error(error: OSError) -> StorageError:
    return StorageError(
        f"{error.filename} cannot be read",
        cause=error.strerror or str(error),
        next_step="Check that you may read it.",
    )
