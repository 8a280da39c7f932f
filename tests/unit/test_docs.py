"""The documents say what the code says, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from generate_docs import PARTS, REPO, documents, with_generated_parts

NAMES = [str(path.relative_to(REPO)) for path in documents()]


@pytest.mark.parametrize("name", NAMES)
def test_generated_parts_of_a_document_are_what_the_code_generates(name: str) -> None:
    text = (REPO / name).read_text(encoding="utf-8")
    assert with_generated_parts(text) == text, "run: python ci/generate_docs.py"


@pytest.mark.parametrize("part", PARTS)
def test_every_generated_part_stands_in_some_document(part: str) -> None:
    assert any(f"<!-- generated: {part} -->" in path.read_text("utf-8") for path in documents())


@pytest.mark.parametrize("name", [*NAMES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_a_document_lead_to_files_of_the_project(name: str) -> None:
    document = REPO / name
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    local = [link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [link for link in local if not Path(document.parent, link).exists()]
    assert missing == []
