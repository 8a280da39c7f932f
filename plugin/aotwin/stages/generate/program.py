"""Load the exported program that a project names: `module:attribute`, or a saved `.pt2`."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import os
import sys
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from aotwin.errors import ProgramError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

#: torch's messages begin with what happened, and go on with pages of graph
_MAX_MESSAGE_CHARACTERS = 600

#: modules that a load brought in -> the project they belong to. They stay imported, so that
#: operators they register are registered once, and make way when another project has the name.
_loaded_from: dict[str, Path] = {}


def load_program(reference: str, project_dir: Path) -> ExportedProgram:
    """Load an exported program.

    Args:
        reference: `module:attribute`, found in the project folder or its `src` folder (the
            attribute may be dotted; a callable is called without arguments), or the path of a
            file saved with torch.export.save, relative to the project folder.
        project_dir: the project's folder; importable only during the load.

    Raises:
        ProgramError: torch is missing, the module does not import, the attribute is missing or no
            ExportedProgram, the export fails, or the file is of another kind.
    """
    _require_torch()
    if reference.endswith(".pt2") or ":" not in reference:
        return _loaded_file(reference, project_dir / reference)
    module_name, _, attribute = reference.partition(":")
    with importable(project_dir.resolve()):
        module = imported(reference, module_name, project_dir)
        found = attribute_of(reference, module, attribute)
        return _as_program(reference, found, project_dir)


def require_program(found: object) -> ExportedProgram:
    """An object that a caller handed over, if it is an exported program.

    Raises:
        ProgramError: torch is missing, or the object is something else.
    """
    _require_torch()
    from torch.export import ExportedProgram

    if isinstance(found, ExportedProgram):
        return found
    raise ProgramError(
        f"a {type(found).__name__} is no ExportedProgram",
        cause="only what torch.export.export returns can be lowered",
        next_step="Export the module first, or name the file that it was saved to.",
    )


def _require_torch() -> None:
    try:
        importlib.import_module("torch.export")
    except ImportError as error:
        raise ProgramError(
            "torch is missing in the build environment",
            cause=f"{error}; a program is lowered with torch, only a ready wrapper needs none",
            next_step="Add torch, in the version that you train with, to build-system.requires in "
            "pyproject.toml.",
        ) from error


@contextlib.contextmanager
def importable(project: Path) -> Iterator[None]:
    """Let the modules of a project, absolute, be imported."""
    path, no_bytecode = list(sys.path), sys.dont_write_bytecode
    for name, owner in list(_loaded_from.items()):
        if owner != project:
            sys.modules.pop(name, None)
            del _loaded_from[name]
    before = set(sys.modules)
    source = project / "src"
    sys.path[:0] = [str(project), *([str(source)] if source.is_dir() else [])]
    # a build leaves no __pycache__ among the user's sources
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        # what the module prints is talk, and stdout is for data
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, no_bytecode
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and _is_below(file, project):
                _loaded_from[name] = project


def _is_below(file: str, project: Path) -> bool:
    folder = _real_folder(os.path.dirname(os.path.abspath(file)))  # noqa: PTH100, PTH120
    return folder.is_relative_to(project) and "site-packages" not in folder.parts


@functools.cache
def _real_folder(folder: str) -> Path:
    """A folder with its links resolved: asked for thousands of modules, which lie in few."""
    return Path(folder).resolve()


def imported(reference: str, module_name: str, project_dir: Path, *, role: str = "program") -> Any:
    """Import a module of a project.

    Args:
        role: the key of a model's table that has the reference.

    Raises:
        ProgramError: it does not import.
    """
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        exporting = _in_export(error)
        raise ProgramError(
            f"the {role} {reference!r} {'fails to export' if exporting else 'does not import'}",
            cause=cause_of(error, project_dir),
            next_step=(
                "Correct the module; `python -c 'import "
                f"{module_name}'` in the project folder shows the whole traceback."
            ),
        ) from error


def attribute_of(reference: str, module: Any, attribute: str, *, role: str = "program") -> Any:
    """The attribute that a reference names, dotted or not.

    Raises:
        ProgramError: it is not there.
    """
    found = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            owner = getattr(found, "__name__", type(found).__name__)
            near = difflib.get_close_matches(name, dir(found), n=1)
            raise ProgramError(
                f"the {role} {reference!r} is not there: {owner} has no attribute {name!r}",
                cause=f"the nearest is {near[0]!r}" if near else "none is spelled like it",
                next_step=f"Correct `{role}` in [tool.aotwin.models]: it is module:attribute.",
            )
        found = getattr(found, name)
    return found


def _as_program(reference: str, found: Any, project_dir: Path) -> ExportedProgram:
    from torch.export import ExportedProgram

    if callable(found) and not isinstance(found, (ExportedProgram, type)) and not _is_module(found):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise ProgramError(
                f"the program {reference!r} fails to export",
                cause=cause_of(error, project_dir),
                next_step="Correct the function; it is called without arguments.",
            ) from error
    if not isinstance(found, ExportedProgram):
        what = "a class" if isinstance(found, type) else f"a {type(found).__name__}"
        raise ProgramError(
            f"the program {reference!r} is {what}, no ExportedProgram",
            cause="`program` names what torch.export.export returned, or a callable returning it",
            next_step="Export the module: torch.export.export(module.eval(), example_inputs).",
        )
    return found


def _is_module(found: object) -> bool:
    from torch.nn import Module

    return isinstance(found, Module)


def _in_export(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any("torch/export/" in frame.filename.replace("\\", "/") for frame in frames)


def cause_of(error: BaseException, project_dir: Path) -> str:
    """Say the exception's first line, and where in the user's code it came from."""
    lines = traceback.format_exception_only(type(error), error)
    text = lines[-1] if isinstance(error, SyntaxError) else lines[0]
    message = text.strip().partition("\n")[0][:_MAX_MESSAGE_CHARACTERS]
    project = project_dir.resolve()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_below(frame.filename, project)]
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}:{error.lineno}"
    elif own:
        place = f"{own[-1].filename}:{own[-1].lineno}"
    else:
        return message
    return f"{message}\n  at {place}"


def _loaded_file(reference: str, path: Path) -> ExportedProgram:
    if not path.is_file():
        raise ProgramError(
            f"the program {reference!r} does not exist",
            cause=f"there is no file {path}",
            next_step="Give module:attribute, or the path of a file from torch.export.save.",
        )
    _refuse_other_archives(reference, path)
    import torch

    try:
        program: ExportedProgram = torch.export.load(path)
        return program
    except Exception as error:
        raise ProgramError(
            f"the program {reference!r} cannot be loaded",
            cause=f"{type(error).__name__}: {str(error).strip()[:_MAX_MESSAGE_CHARACTERS]}",
            next_step="Save it again with torch.export.save of the torch that is installed here.",
        ) from error


def _refuse_other_archives(reference: str, path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name).parts for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError) as error:
        raise ProgramError(
            f"the program {reference!r} is no archive of torch.export.save",
            cause=str(error),
            next_step="Save the program with torch.export.save.",
        ) from error
    has_program = any(
        "models" in parts or parts[-1:] == ("serialized_exported_program.json",) for parts in names
    )
    if not has_program and any("aotinductor" in parts for parts in names):
        raise ProgramError(
            f"the program {reference!r} is what AOTInductor compiled, no exported program",
            cause="it holds data/aotinductor, and no models",
            next_step="If it was written with package_cpp_only, name it with `wrapper` instead.",
        )
    if not has_program:
        raise ProgramError(
            f"the program {reference!r} is no archive of torch.export.save",
            cause="it holds no models",
            next_step="Save the program with torch.export.save.",
        )
