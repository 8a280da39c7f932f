"""The user's reference of findings, generated from the rule table.

`python -m aotwin.stages.check.rules.reference > docs/reference/findings.md`
"""

from __future__ import annotations

import sys

from aotwin.stages.check.rules import RULES

_INTRODUCTION = """\
# Findings

What `aotwin check` looks at, rule by rule: `INPUT` at the path, `PE` at a DLL, `MODEL` at the files
of a built model, `SDK` at the SDK among them, `ZIP` at wheels and `.pt2`, `WHEEL` at wheels. The
build applies the `PE` rules to every DLL and program that it links, and a failed one ends it.
Generated from the rule table; the figures and names that the rules compare with are data under
`toolchains/targets/`.
"""


def findings_reference() -> str:
    """Markdown: one section for each rule, in the table's order."""
    sections = [
        f"## {rule.id}\n\n{rule.title}.\n\n**Why it matters.** {rule.why}\n\n"
        f"**What to do.** {rule.remedy}\n"
        for rule in RULES
    ]
    return "\n".join([_INTRODUCTION, *sections])


if __name__ == "__main__":
    sys.stdout.write(findings_reference())
