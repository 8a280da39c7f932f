"""Rules on archives (wheels, `.pt2`): one meaning for every program, and safe to unpack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from aotwin.adapters.archives.untrusted_zip import ZipFiles, is_bomb
from aotwin.portable_names import first_clash, path_problem
from aotwin.stages.check.rules.rule import Rule, Violation

#: characters of a hostile name that are told
_SHOWN = 200


@dataclass(frozen=True)
class Archive:
    """A file that should be a zip archive."""

    #: None where it cannot be read
    files: ZipFiles | None
    #: why it cannot be read, else ""
    problem: str


def check_directory(archive: Archive) -> Iterator[Violation]:
    """It is a zip archive."""
    if archive.files is None:
        yield Violation("the archive cannot be read", "a zip archive", archive.problem, "the file")


def check_layout(archive: Archive) -> Iterator[Violation]:
    """Every program finds the same members in it."""
    for each in archive.files.ambiguities if archive.files else ():
        yield Violation(each.message, each.expected, each.found, each.where)


def check_names(archive: Archive) -> Iterator[Violation]:
    """Every member can be unpacked on Windows, below the folder it is unpacked to, and once."""
    if archive.files is None:
        return
    names = [entry.name for entry in archive.files.entries]
    for name in names:
        if problem := path_problem(name.removesuffix("/")):
            yield Violation(
                "a member has a name that is not safe", "a relative path", problem, _member(name)
            )
    for name, count in Counter(names).items():
        if count > 1:
            yield Violation("a member is there twice", "one", f"{count} of them", _member(name))
    clash = first_clash(archive.files.names())
    if clash:
        yield Violation(
            "two members cannot be on one Windows disk", "names that differ by more than case",
            _member(clash[1]), _member(clash[0]),
        )  # fmt: skip


def check_kinds(archive: Archive) -> Iterator[Violation]:
    """Members are regular files, stored or deflated."""
    for name, kind in archive.files.odd().items() if archive.files else ():
        yield Violation(
            "a member is no plain file", "a regular file, stored or deflated", kind, _member(name)
        )


def check_bombs(archive: Archive) -> Iterator[Violation]:
    """No member unpacks to far more than it takes in the archive."""
    for entry in archive.files.entries if archive.files else ():
        if is_bomb(entry):
            yield Violation(
                "a member is a bomb",
                "a size that real files are packed from",
                f"{entry.nbytes:,} bytes out of {entry.packed_nbytes:,}",
                _member(entry.name),
            )


def _member(name: str) -> str:
    return f"member {name[:_SHOWN]!r}"


_ANEW = "Build or download the archive again; if it comes from elsewhere, do not unpack it."

ARCHIVE_RULES = (
    Rule[Archive](
        "ZIP-READ",
        "The file is a zip archive that ends with its directory",
        "A download that was cut off has no directory at its end.",
        _ANEW,
        check_directory,
    ),
    Rule[Archive](
        "ZIP-LAYOUT",
        "Members lie side by side, and their two headers agree",
        "Programs make different things of any other archive: what was checked may not be what is "
        "installed. Overlapping members are how small archives unpack to terabytes.",
        _ANEW,
        check_layout,
    ),
    Rule[Archive](
        "ZIP-NAME",
        "Members have relative names that Windows can have, each once, also without case",
        "A name that climbs out of its folder overwrites other files; of two members with one "
        "name, programs take different ones.",
        _ANEW,
        check_names,
    ),
    Rule[Archive](
        "ZIP-KIND",
        "Members are regular files, stored or deflated, not encrypted",
        "Links lead out of the folder that is unpacked to, and other methods cannot be read "
        "everywhere.",
        _ANEW,
        check_kinds,
    ),
    Rule[Archive](
        "ZIP-BOMB",
        "No member unpacks to more than 400 times its packed size",
        "It would fill the disk or the memory of whoever unpacks it.",
        _ANEW,
        check_bombs,
    ),
)
