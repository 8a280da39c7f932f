"""Rules on what a path leads to: is there anything to check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from aotwin.stages.check.rules.rule import Rule, Violation

Kind = Literal["dll", "folder", "wheel", "pt2", "unknown"]


@dataclass(frozen=True)
class Input:
    """What a user named."""

    kind: Kind
    #: why it cannot be read, or what it is instead of something known; else ""
    problem: str
    #: how many built models were found in it; None where it could not be looked into
    models: int | None


def check_kind(subject: Input) -> Iterator[Violation]:
    """The path leads to something that can be checked."""
    if subject.problem:
        yield Violation(
            "nothing to check", "a DLL, a folder, a wheel or a .pt2", subject.problem, "the path"
        )


def check_models(subject: Input) -> Iterator[Violation]:
    """There is a built model in it."""
    if subject.kind != "dll" and not subject.problem and subject.models == 0:
        yield Violation(
            "there is no built model in it", "a folder with aotwin.json", "none", "the path"
        )


INPUT_RULES = (
    Rule[Input](
        "INPUT-KIND",
        "The path leads to a DLL, a folder, a wheel or a `.pt2` that can be read",
        "What cannot be read cannot be vouched for.",
        "Check the path's spelling and rights.",
        check_kind,
    ),
    Rule[Input](
        "INPUT-MODEL",
        "A folder, a wheel or a `.pt2` holds at least one built model",
        "A report without anything checked would look like a pass.",
        "Name the folder that has aotwin.json in it, or one above it.",
        check_models,
    ),
)
