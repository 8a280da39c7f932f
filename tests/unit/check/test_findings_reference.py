"""The user's reference of findings is what the rule table says."""

from __future__ import annotations

from pathlib import Path

from aotwin.stages.check.rules import RULES
from aotwin.stages.check.rules.reference import findings_reference

PAGE = Path(__file__).parents[3] / "docs/reference/findings.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == findings_reference(), (
        "run: python -m aotwin.stages.check.rules.reference > docs/reference/findings.md"
    )


def test_every_rule_says_why_it_matters_and_what_to_do() -> None:
    page = findings_reference()
    for rule in RULES:
        assert f"## {rule.id}\n" in page
        assert rule.why.endswith(".")
        assert rule.remedy.endswith(".")
