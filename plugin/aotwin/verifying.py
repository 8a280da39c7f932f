"""The pipeline of `aotwin verify`: models of a folder or wheel, proven where this runs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aotwin.errors import LoadError, UsageError
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.formats.verification import VerifiedDll, VerifiedModel, VerifiedOutput, finite
from aotwin.payload import ModelError
from aotwin.portable_names import path_problem

#: bytes of all members of a wheel, unpacked
_MAX_WHEEL_NBYTES = 1 << 40


if TYPE_CHECKING:
    # They need numpy.
    from aotwin.payload.verify import Kept, Outcome


def verify(path: Path) -> Iterator[tuple[Kept, Sequence[Outcome]]]:
    """Prove each model of a path again.

    On Windows the DLLs are run here, on Linux through Wine: what is not trusted must not be named.

    Args:
        path: a folder with built models at any depth, or a wheel.

    Returns:
        Each model, and what came of its DLLs.

    Raises:
        LoadError: there is no model, or it holds nothing to prove it with.
        UsageError: it is neither a folder nor a wheel.
        ToolError: Wine or zig is missing or failed.
    """
    with _unpacked(path) as folder:
        homes = sorted(each.parent for each in folder.rglob(MANIFEST_NAME))
        if not homes:
            raise LoadError(
                f"{path} holds no built model",
                cause=f"there is no {MANIFEST_NAME} in it",
                next_step="Name the folder that aotwin build printed, or the wheel.",
            )
        yield from map(_verified, homes)


def _verified(home: Path) -> tuple[Kept, Sequence[Outcome]]:
    try:
        # Both need numpy.
        if sys.platform == "win32":
            from aotwin.payload.verify import Kept
            from aotwin.payload.verify import verify as verify_here

            kept = Kept(home)
            return kept, verify_here(kept)
        from aotwin.stages.proof import verify_folder

        return verify_folder(home)
    except ModuleNotFoundError as error:
        raise LoadError(
            f"{error.name} is missing",
            cause="results are compared with numpy, and models over torch are run with torch",
            next_step=f"Install it: pip install {error.name}.",
        ) from error
    except ModelError as error:
        raise LoadError(
            f"{home} cannot be proven again",
            cause=str(error).rstrip("."),
            next_step='Models are proven that were built with check = "run".',
        ) from error


def verified_model(kept: Kept, outcomes: Sequence[Outcome]) -> VerifiedModel:
    """What came of one model, as values."""
    dlls = tuple(
        VerifiedDll(
            each.dll,
            str(listed["cpu"]),
            tuple(
                VerifiedOutput(
                    name=row["name"],
                    dtype=row["dtype"],
                    elements=row["elements"],
                    compared=row["compared"],
                    rtol=row["rtol"],
                    atol=row["atol"],
                    max_abs=finite(found["max_abs"]),
                    max_rel=finite(found["max_rel"]),
                )
                for row, found in zip(kept.rows, each.rows, strict=False)
            ),
            problem=each.problem,
            unproven=each.unproven,
        )
        for listed, each in zip(kept.manifest["dlls"], outcomes, strict=True)
    )
    return VerifiedModel(kept.name, kept.proof["samples"], dlls)


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path.absolute()
        return
    if not path.is_file() or path.suffix.lower() != ".whl":
        raise UsageError(
            f"{path} is neither a folder nor a wheel",
            cause="there is no such path" if not path.exists() else "models are proven in these",
            next_step="Name the folder of a built model, or a wheel with models.",
        )
    with tempfile.TemporaryDirectory(prefix="aotwin-verify-", ignore_cleanup_errors=True) as folder:
        _unpack(path, Path(folder))
        yield Path(folder)


def _unpack(wheel: Path, folder: Path) -> None:
    from aotwin.adapters.archives.untrusted_files import DamagedFileError
    from aotwin.adapters.archives.untrusted_zip import ZipFiles

    try:
        files = ZipFiles(wheel)
        bad = next(iter(files.odd()), "") or next(filter(path_problem, files.names()), "")
        if bad or sum(map(files.nbytes, files.names())) > _MAX_WHEEL_NBYTES:
            raise DamagedFileError(f"it has a member that is not unpacked: {bad[:200]!r}")
        for name in files.names():
            target = folder.joinpath(*name.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for chunk in files.chunks(name):
                    file.write(chunk)
    except (DamagedFileError, OSError) as error:
        raise LoadError(
            f"{os.fspath(wheel)} cannot be unpacked",
            cause=str(error).rstrip("."),
            next_step="Ask aotwin check, which says more about a wheel that is damaged.",
        ) from error
