"""A report says the same as text, as JSON and as a truth value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

import aotwin.formats.findings
from aotwin.formats.findings import JSON_VERSION, Examined, Finding, Report, Severity, Skipped

SCHEMA = json.loads(
    Path(aotwin.formats.findings.__file__)
    .with_name("findings.schema.json")
    .read_text(encoding="utf-8")
)


def finding(severity: Severity = "error", found: str = "512 bytes more") -> Finding:
    return Finding("PE-OVERLAY", severity, "bytes were appended", "nothing", found, "offset 0x400")


REPORTS = {
    "passed": Report("demo.dll", ()),
    "one-error": Report("demo.dll", (finding(),)),
    "warning": Report("demo.dll", (finding("warning"),)),
    "skipped": Report("demo.dll", (), (Skipped("PE-SEAL", "no digest"),)),
    "examined": Report("demo", (), (), (Examined("demo.dll", 1024, ("sealed",)),)),
    "hostile-name": Report("demo\x1b[2J.dll", (finding(found="\ud800\x07\n"),)),
}


@pytest.mark.parametrize("report", [pytest.param(each, id=key) for key, each in REPORTS.items()])
def test_every_report_keeps_to_the_committed_schema(report: Report) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(report.to_json()))


def test_the_schema_knows_the_version_and_the_severities_of_the_code() -> None:
    properties = SCHEMA["properties"]
    assert properties["version"]["const"] == JSON_VERSION
    severities = properties["findings"]["items"]["properties"]["severity"]["enum"]
    assert tuple(severities) == get_args(Severity)


@pytest.mark.parametrize(
    ("name", "passed"),
    [("passed", True), ("one-error", False), ("warning", True), ("skipped", True)],
)
def test_only_errors_fail_a_report(name: str, passed: bool) -> None:
    report = REPORTS[name]
    assert bool(report) is passed
    assert json.loads(report.to_json())["passed"] is passed


def test_the_text_says_what_was_expected_what_was_found_and_where() -> None:
    assert REPORTS["one-error"].to_text().splitlines() == [
        "demo.dll: failed, 1 error",
        "error PE-OVERLAY: bytes were appended (offset 0x400)",
        "    expected: nothing",
        "    found:    512 bytes more",
    ]


def test_the_text_says_what_was_looked_at_in_one_line_a_file() -> None:
    assert REPORTS["examined"].to_text().splitlines() == [
        "demo: passed",
        "  demo.dll: 1,024 bytes, sealed",
    ]


def test_the_text_says_what_was_not_checked() -> None:
    assert "not checked PE-SEAL: no digest" in REPORTS["skipped"].to_text()


def test_no_control_character_of_an_untrusted_name_reaches_the_terminal() -> None:
    text = REPORTS["hostile-name"].to_text()
    assert all(letter.isprintable() for letter in text.replace("\n", ""))
    assert len(text.splitlines()) == 4
    assert text.encode("utf-8")
