"""Rules on the file as a whole: can it be read, do its readers agree, is it still sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import fields
from itertools import combinations, zip_longest

from aotwin.adapters.pe.image import PeFacts, Unreadable
from aotwin.stages.check.rules.rule import File, Rule, Violation

_REBUILD = "Build the model again; take the file as the build left it."


def check_file(file: File) -> Iterator[Violation]:
    """The file can be opened and is of a sensible size."""
    if file.data is None:
        yield Violation("the file cannot be read", "a readable file", file.problem, "the file")


def check_seal(file: File) -> Iterator[Violation]:
    """The bytes are those that the linker wrote, whatever signature came to them since."""
    if file.data is None or file.sealed_sha256 is None:
        return
    digest = file.unsigned_sha256 or hashlib.sha256(file.data).hexdigest()
    if digest != file.sealed_sha256.lower():
        yield Violation(
            "the file is not the one that was sealed after the link",
            f"sha256 {file.sealed_sha256.lower()}",
            f"sha256 {digest}",
            "the whole file",
        )


def check_readable(file: File) -> Iterator[Violation]:
    """Every reader understands the file."""
    for name, reading in file.readings.items():
        if isinstance(reading, Unreadable):
            yield Violation(
                "the file cannot be read as a PE file", "a PE file", reading.reason, name
            )


def check_agreement(file: File) -> Iterator[Violation]:
    """All readers see the same."""
    facts = {name: each for name, each in file.readings.items() if isinstance(each, PeFacts)}
    for left, right in combinations(facts, 2):
        for field in (each for each in fields(PeFacts) if each.compare):
            seen = getattr(facts[left], field.name), getattr(facts[right], field.name)
            if seen[0] != seen[1]:
                expected, found = _first_difference(*seen)
                yield Violation(
                    f"{left} and {right} see different things",
                    f"{left}: {expected}",
                    f"{right}: {found}",
                    field.name,
                )


def _first_difference(left: object, right: object) -> tuple[str, str]:
    if isinstance(left, tuple) and isinstance(right, tuple):
        for index, (one, other) in enumerate(zip_longest(left, right)):
            if one != other:
                return f"[{index}] {one}"[:300], f"[{index}] {other}"[:300]
    return str(left), str(right)


FILE_RULES = (
    Rule[File](
        "PE-FILE",
        "The file can be opened, is a regular file and no larger than the policy allows",
        "What cannot be read cannot be vouched for. Weights lie in the blob, so a very large DLL "
        "is not one of ours.",
        "Name an existing DLL.",
        check_file,
    ),
    Rule[File](
        "PE-SEAL",
        "The file's sha256, a signature taken away, is the one that was taken right after the link",
        "Something touched the file after it was linked: a tool that strips or post-processes, "
        "weights appended to it, an antivirus program, a damaged disk.",
        _REBUILD,
        check_seal,
    ),
    Rule[File](
        "PE-READ",
        "pefile and LIEF both read the file",
        "A file that a reader gives up on, crashes on, or cannot finish is damaged or was made "
        "to mislead.",
        _REBUILD,
        check_readable,
    ),
    Rule[File](
        "PE-READERS",
        "pefile and LIEF see the same headers, sections, exports and imports",
        "Where two readers disagree, the file is ambiguous: what was checked may not be what "
        "Windows loads.",
        _REBUILD,
        check_agreement,
    ),
)
