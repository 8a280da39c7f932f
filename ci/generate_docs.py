"""Write the generated parts of the docs anew: python ci/generate_docs.py [--check]

Tables stand between `<!-- generated: NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from aotwin.configuration.tables import render_markdown_table, render_variables_table

REPO = Path(__file__).resolve().parents[1]
_PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)

PARTS: dict[str, Callable[[], str]] = {
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
