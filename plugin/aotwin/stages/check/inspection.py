"""One check under way: what the rules compare with, and what they have found so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aotwin.adapters.pe.readers import Read
from aotwin.formats.findings import Examined, Finding, Report, Skipped
from aotwin.stages.check.rules import Rule
from aotwin.stages.check.rules.policy import Policy
from aotwin.stages.link import Sysroot

#: the only target there is
TARGET = "windows-x86_64"


@dataclass
class Inspection:
    """What was found so far, and what the rules compare with."""

    policy: Policy
    #: those of the target that are at hand: torch version -> sysroot
    sysroots: Mapping[str, Sysroot]
    #: whether to hash blobs and other large files as well
    full: bool
    read: Read
    found: list[Finding] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    examined: list[Examined] = field(default_factory=list)
    #: paths of files that several models share, once they were judged
    judged: set[str] = field(default_factory=set)

    def apply(self, rules: Iterable[Rule[Any]], subject: object, place: str = "") -> bool:
        """Apply rules to a subject of theirs; returns whether nothing was found."""
        before = len(self.found)
        for rule in rules:
            self.found += rule.findings(subject, place)
        return len(self.found) == before

    def skip(self, rule: str, reason: str) -> None:
        """Say that a rule could not be applied."""
        self.skipped.setdefault(rule, reason)

    def report(self, subject: str) -> Report:
        """All of it, about what the user named."""
        skipped = tuple(Skipped(rule, reason) for rule, reason in sorted(self.skipped.items()))
        return Report(subject, tuple(self.found), skipped, tuple(self.examined))
