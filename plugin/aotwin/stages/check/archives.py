"""Wheels and `.pt2` archives: the archive as such, the models in it, and what wraps them."""

from __future__ import annotations

from pathlib import Path

from aotwin.adapters.archives.untrusted_files import DamagedFileError
from aotwin.adapters.archives.untrusted_zip import ZipFiles
from aotwin.stages.check.inspection import TARGET, Inspection
from aotwin.stages.check.models import check_bare_dlls, check_models, homes_of, model_at
from aotwin.stages.check.rules import ARCHIVE_RULES, WHEEL_RULES, Archive, Wheel
from aotwin.stages.check.rules.wheel_rules import SMALL_NBYTES
from aotwin.target.toolchain import load_toolchain


def check_archive(path: Path, is_wheel: bool, inspection: Inspection) -> int | None:
    """A wheel or a `.pt2`; returns the number of built models in it, None if it is no archive."""
    try:
        files = ZipFiles(path)
    except DamagedFileError as error:
        inspection.apply(ARCHIVE_RULES, Archive(None, str(error)))
        return None
    inspection.apply(ARCHIVE_RULES, Archive(files, ""))
    count = check_models(files, inspection)
    if not is_wheel:
        return count or check_bare_dlls(files, inspection)
    models = {home: manifest for home in homes_of(files) if (manifest := model_at(files, home)[0])}
    tag = f"py3-none-{load_toolchain(TARGET).wheel_tag}"
    wheel = Wheel(path.name, files, tag, models, inspection.full)
    inspection.apply(WHEEL_RULES, wheel)
    unread = [name for name in files.names() if not wheel.is_read(name)]
    if unread:
        inspection.skip(
            "WHEEL-RECORD",
            f"members over {SMALL_NBYTES >> 20} MB are hashed with --full: {len(unread)} of them",
        )
    return count
