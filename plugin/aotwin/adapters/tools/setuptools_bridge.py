"""setuptools, which does everything about a project that is not a model.

Its backend is imported inside the functions: that patches distutils and takes a while, which
`import aotwin.build_meta` must not. Nor must what only some hooks need.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: config settings that are setuptools' own
Settings = Mapping[str, "str | list[str] | None"]


def get_requires(kind: str, settings: Settings) -> list[str]:
    """What setuptools needs to build.

    Args:
        kind: "wheel", "sdist" or "editable".
        settings: config settings for setuptools.
    """
    return list(_call(f"get_requires_for_build_{kind}", settings))


def prepare_metadata(kind: str, directory: Path, settings: Settings) -> Path:
    """Write the project's `.dist-info` folder.

    Args:
        kind: "wheel" or "editable".
        directory: where it goes.
        settings: config settings for setuptools.

    Returns:
        The `.dist-info` folder.
    """
    name: str = _call(f"prepare_metadata_for_build_{kind}", str(directory), settings)
    return directory / name


def build(kind: str, directory: Path, settings: Settings, metadata: str | None = None) -> str:
    """Build what setuptools builds.

    Args:
        kind: "wheel", "sdist" or "editable".
        directory: where the result goes.
        settings: config settings for setuptools.
        metadata: what the hook that prepares metadata left, not for an sdist.

    Returns:
        File name of the result.
    """
    more = () if kind == "sdist" else (metadata,)
    name: str = _call(f"build_{kind}", str(directory), settings, *more)
    return name


@contextmanager
def pure_wheel(settings: Settings, metadata: str | None) -> Iterator[Path]:
    """The project's wheel without models, in a private folder that lives as long as the block.

    setuptools' working files go to that folder too: what an earlier build left in the project's
    `build/` would otherwise slip into the wheel.
    """
    import shlex

    from aotwin.adapters.storage.files import temporary_folder

    with temporary_folder() as folder:
        own = settings.get("--build-option") or []
        options = shlex.split(own) if isinstance(own, str) else list(own)
        options += ["build", "--build-base", str(folder / "build")]
        name = build("wheel", folder, {**settings, "--build-option": options}, metadata)
        yield folder / name


@contextmanager
def sdist(settings: Settings) -> Iterator[Path]:
    """The project's sdist as setuptools makes it, in a private folder."""
    from aotwin.adapters.storage.files import temporary_folder

    with temporary_folder() as folder:
        yield folder / build("sdist", folder, settings)


def _call(hook: str, *arguments: object) -> Any:
    """Call one hook of setuptools.build_meta, which leaves its commands behind in sys.argv."""
    backend = importlib.import_module("setuptools.build_meta")
    argv = list(sys.argv)
    try:
        return getattr(backend, hook)(*arguments)
    except (OSError, SystemExit) as error:
        import errno

        from aotwin.errors import StorageError

        # distutils turns an OSError into SystemExit("error: ...").
        for cause in (error, error.__context__):
            if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageError(
                    "the disk is full: setuptools cannot build the project",
                    cause=str(cause),
                    next_step="Make room, or point TMPDIR at another disk, and build again.",
                ) from error
        raise
    finally:
        sys.argv[:] = argv
