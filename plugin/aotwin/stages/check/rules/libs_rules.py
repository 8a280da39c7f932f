"""Rules on our own run time beside the models that are bound to it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from aotwin.adapters.archives.untrusted_files import DamagedFileError, file_digest
from aotwin.formats.manifest import MANIFEST_NAME
from aotwin.stages.check.rules.model import Model
from aotwin.stages.check.rules.rule import Rule, Violation


def libs_of(model: Model) -> dict[str, str]:
    """Where the run time's files must lie among those that are checked -> sha256, hex.

    Empty where the model runs over torch, and where they lie above all that is checked.
    """
    if model.manifest is None or model.manifest.libs is None:
        return {}
    places = {
        posixpath.normpath(model.home + name): digest
        for name, digest in model.manifest.libs.files.items()
    }
    return {} if any(place.startswith("../") for place in places) else places


def check_files(model: Model) -> Iterator[Violation]:
    """The run time's files are there, and are those that the model was bound to."""
    present = model.files.names()
    for place, digest in sorted(libs_of(model).items()):
        if place not in present:
            yield Violation(
                "a file of the run time is missing",
                "a regular file",
                model.files.odd().get(place, "no such file"),
                place,
            )
            continue
        try:
            found = file_digest(model.files, place).hex()
        except DamagedFileError as error:
            found = f"a file that cannot be read: {error}"
        if found != digest:
            yield Violation(
                "a file of the run time was changed after the build",
                f"sha256 {digest} ({MANIFEST_NAME})",
                found if " " in found else f"sha256 {found}",
                place,
            )


LIBS_RULES = (
    Rule[Model](
        "MODEL-LIBS",
        "The DLLs of aotwin's run time are those that the model was built with",
        "The model calls their functions for every product, copy and thread: it does not open "
        "without them, and with others it is not what was checked.",
        "Install the wheel again, or build it again. Keep the folder `<name>.libs` (or `libs`) "
        "where the build put it.",
        check_files,
    ),
)
