"""Write wheels as streams, the same bytes every time.

The format is the PyPA specification "Binary distribution format": a zip archive whose last member
is `<name>-<version>.dist-info/RECORD`, a csv of every member's path, sha256 and size.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.archives.members import Member, Row, chunks, compare, stream, zip_info
from aotwin.adapters.archives.standing_wheel import StandingWheel, made_of
from aotwin.adapters.storage.files import replacing, storage_errors
from aotwin.errors import AotwinError, CheckError
from aotwin.portable_names import first_clash, path_problem
from aotwin.progress import Step


def check_names(names: Sequence[str]) -> None:
    """Refuse a set of member names that cannot be installed on Windows.

    Raises:
        CheckError: naming the first one.
    """
    for name in names:
        if problem := path_problem(name):
            raise CheckError(
                f"the wheel would hold {name!r}, which cannot be installed on Windows",
                cause=problem,
                next_step="Rename the file, or leave it out of the package.",
            )
    if clash := first_clash(names):
        first, second = clash
        raise CheckError(
            f"the wheel would hold {first!r} and {second!r}, of which Windows can have only one",
            cause="both have one path"
            if first == second
            else "their paths clash or differ by case",
            next_step="Rename one of them; a model's package and the project's must not overlap.",
        )


def write_wheel(
    path: Path,
    members: Sequence[Member],
    *,
    dist_info: str,
    epoch: int,
    step: Step | None = None,
    draft: Draft | None = None,
) -> None:
    """Write a wheel under a temporary name, check it, and only then give it its name.

    Args:
        path: the wheel.
        members: everything but RECORD, in any order.
        dist_info: name of the `.dist-info` folder that RECORD goes to.
        epoch: time of all members, in seconds since 1970 (see `aotwin.reproducible`).
        step: gets to know how many bytes are written, and read again.
        draft: a wheel that some members are in already, of the same time; it becomes the wheel,
            unless that is there as it would be written (`draft.stood`).

    Raises:
        CheckError: a name that Windows cannot have, or bytes in the wheel that do not hash to the
            digest that their member expects.
        StorageError: the disk is full, or a source cannot be read or changed meanwhile.
    """
    step = step or Step("pack")
    again = sum(member.nbytes for member in members if _is_reread(member))
    step.expect(sum(member.nbytes for member in members) + again, "bytes")
    before = [] if draft is None else [row[0] for row in draft.rows]
    check_names([*before, *(member.name for member in members), _record_name(dist_info)])
    ordered = sorted(members, key=lambda member: _place(member.name, dist_info))
    if draft is None:
        with replacing(path, durable=True) as file:
            _finish(Draft(file, path, epoch), ordered, dist_info, step)
        return
    if draft.candidate is not None and _stands(draft, draft.candidate, ordered, dist_info, step):
        return
    with storage_errors(path):
        draft.pay()
        rows = _finish(draft, ordered, dist_info, step)
        draft.file.flush()
        os.fsync(draft.file.fileno())
        draft.path.replace(path)
    draft.made_of = made_of(draft.rows, ordered, rows, dist_info, epoch)


def _stands(
    draft: Draft, standing: StandingWheel, ordered: Sequence[Member], dist_info: str, step: Step
) -> bool:
    """Whether the wheel that is there already is the one that would be written."""
    rows = [stream(member, lambda _: None) for member in ordered]
    if standing.made_of != made_of(draft.rows, ordered, rows, dist_info, draft.epoch):
        return False
    try:
        with storage_errors(standing.path), standing.path.open("rb") as file:
            _check_digests(file, standing.path, ordered, step)
    except (AotwinError, zipfile.BadZipFile, KeyError):
        return False
    step.advance(sum(member.nbytes for member in ordered))
    draft.stood = standing.is_untouched()
    return draft.stood


def _finish(draft: Draft, ordered: Sequence[Member], dist_info: str, step: Step) -> list[Row]:
    """Add all other members to a draft, RECORD at the end, and check what is sealed.

    Returns:
        Their rows in RECORD.
    """
    with draft.archive as archive:
        added = [_write(archive, member, draft.epoch, step) for member in ordered]
        rows = sorted([*draft.rows, *added], key=lambda row: _place(row[0], dist_info))
        name = _record_name(dist_info)
        content = _render_record([*rows, (name, "", "")])
        _write(archive, Member.from_bytes(name, content), draft.epoch)
    draft.file.flush()
    _check_digests(draft.file, draft.wheel, ordered, step)
    return added


def _record_name(dist_info: str) -> str:
    return f"{dist_info}/RECORD"


def _place(name: str, dist_info: str) -> tuple[bool, str]:
    # dist-info comes last, as the specification recommends: it can be replaced without a rewrite.
    return name.startswith(f"{dist_info}/"), name


def write_archive(path: Path, members: Sequence[Member], *, epoch: int) -> None:
    """Write a plain zip archive as `write_wheel` writes wheels: streamed, sorted, checked, whole.

    Raises:
        CheckError: bytes in the archive that do not hash to the digest that their member expects.
        StorageError: the disk is full, or a source cannot be read or changed meanwhile.
    """
    ordered = sorted(members, key=lambda member: member.name)
    with replacing(path, durable=True) as file:
        with zipfile.ZipFile(file, "w") as archive:
            for member in ordered:
                _write(archive, member, epoch)
        file.flush()
        _check_digests(file, path, ordered)


def _is_reread(member: Member) -> bool:
    return member.sha256 is not None and member.reread


def _write(archive: zipfile.ZipFile, member: Member, epoch: int, step: Step | None = None) -> Row:
    """Stream one member into the archive; returns its row in RECORD."""
    with archive.open(zip_info(member, epoch), "w") as sink:
        return stream(member, sink.write, step)


def _render_record(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _check_digests(
    file: BinaryIO, path: Path, members: Sequence[Member], step: Step | None = None
) -> None:
    """Read the sealed members again, from the finished archive."""
    file.seek(0)
    with storage_errors(path), zipfile.ZipFile(file) as archive:
        for member in members:
            if not _is_reread(member):
                continue
            digest = hashlib.sha256()
            with archive.open(member.name) as content:
                for chunk in chunks(content, member.nbytes, step):
                    digest.update(chunk)
            compare(member, digest.hexdigest())
