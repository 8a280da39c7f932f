"""Write the generated parts of the docs anew: python ci/generate_docs.py [--check]

Tables stand between `<!-- generated: NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

from aotwin.configuration.tables import render_markdown_table, render_variables_table
from error_messages import render_errors
from library_messages import render_library_errors

REPO = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def compatibility_table() -> str:
    """Built for (rows), run in (columns): what tests/wrappers/matrix.py found."""
    rows = json.loads((REPO / "docs/reference/compatibility.json").read_text(encoding="utf-8"))
    versions = list(rows)
    reasons: list[str] = []
    lines = [
        f"| built for | {' | '.join(f'in {version}' for version in versions)} |",
        f"|---|{':-:|' * len(versions)}",
    ]
    for built_for, row in rows.items():
        cells = []
        for version in versions:
            if row[version] and row[version] not in reasons:
                reasons.append(row[version])
            cells.append(f"no ({reasons.index(row[version]) + 1})" if row[version] else "yes")
        lines.append(f"| {built_for} | {' | '.join(cells)} |")
    notes = [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join([*lines, *(["", *notes] if notes else []), ""])


PARTS: dict[str, Callable[[], str]] = {
    "compatibility": compatibility_table,
    "errors": render_errors,
    "library-errors": render_library_errors,
    "configuration": render_markdown_table,
    "variables": render_variables_table,
}


def with_generated_parts(text: str) -> str:
    """A document with each of its generated parts as the code has it now.

    Raises:
        KeyError: a part of an unknown name.
    """
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found[2]]()}{found[3]}", text)


def documents() -> list[Path]:
    """All documents that may have generated parts."""
    return [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md"))]


def main(arguments: list[str]) -> int:
    """Write what has changed; with --check, only name it and return 1."""
    changed = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        new = with_generated_parts(text)
        if new != text:
            changed.append(path)
            if "--check" not in arguments:
                path.write_text(new, encoding="utf-8")
    for path in changed:
        print(path.relative_to(REPO))
    return int(bool(changed) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
