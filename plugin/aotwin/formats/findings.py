"""What a check found, as values, as text and as versioned JSON (`findings.schema.json`)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

#: version of the JSON form; raised whenever a reader of the old one would be misled
JSON_VERSION = 1

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One way in which a subject is not as it must be."""

    #: the rule that found it: "PE-OVERLAY" (docs/reference/findings.md has a section for each)
    id: str
    severity: Severity
    message: str
    expected: str
    found: str
    #: file offset, section, symbol or member that it is about
    where: str


@dataclass(frozen=True)
class Skipped:
    """A rule that could not be applied for want of something to compare with."""

    id: str
    reason: str


@dataclass(frozen=True)
class Examined:
    """A file that was looked at, whether or not anything was found."""

    #: where it lies, as findings say it
    file: str
    nbytes: int
    #: what it turned out to be, in a few words each: "x86-64-v3", "sealed", "paired with net.dll"
    details: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join((f"{self.file}: {self.nbytes:,} bytes", *self.details))


@dataclass(frozen=True)
class Report:
    """The result of checking one subject (a DLL, a folder, a wheel). True if it passed."""

    #: what was checked, as the user knows it
    subject: str
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = ()
    examined: tuple[Examined, ...] = ()

    def __bool__(self) -> bool:
        """No finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def to_json(self) -> str:
        """The report as one JSON object in the form of `findings.schema.json`."""
        return json.dumps(
            {
                "version": JSON_VERSION,
                "subject": self.subject,
                "passed": bool(self),
                "findings": [asdict(finding) for finding in self.findings],
                "skipped": [asdict(rule) for rule in self.skipped],
                "examined": [asdict(file) for file in self.examined],
            },
            indent=2,
        )

    def to_text(self) -> str:
        """The report for people: a verdict, a line a file, then three short lines a finding."""
        errors = sum(finding.severity == "error" for finding in self.findings)
        verdict = "passed" if self else f"failed, {errors} error{'s' if errors != 1 else ''}"
        lines = [f"{self.subject}: {verdict}", *(f"  {file}" for file in self.examined)]
        for finding in self.findings:
            lines += [
                f"{finding.severity} {finding.id}: {finding.message} ({finding.where})",
                f"    expected: {finding.expected}",
                f"    found:    {finding.found}",
            ]
        lines += [f"not checked {rule.id}: {rule.reason}" for rule in self.skipped]
        return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    # Names come out of untrusted files: no escape sequence of theirs may reach a terminal.
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in line
    )
