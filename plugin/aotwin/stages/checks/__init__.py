"""The rules of `aotwin check`, one module for each part of a file, in one table."""

from __future__ import annotations

from aotwin.stages.checks.directories import DIRECTORY_RULES
from aotwin.stages.checks.exports import EXPORT_RULES
from aotwin.stages.checks.file_rules import FILE_RULES
from aotwin.stages.checks.headers import HEADER_RULES
from aotwin.stages.checks.imports import IMPORT_RULES
from aotwin.stages.checks.rule import File, Image, Rule
from aotwin.stages.checks.sections import SECTION_RULES

#: rules on an image, in the order in which they are applied and documented
IMAGE_RULES: tuple[Rule[Image], ...] = (
    *HEADER_RULES,
    *SECTION_RULES,
    *DIRECTORY_RULES,
    *EXPORT_RULES,
    *IMPORT_RULES,
)
#: every rule there is
RULES: tuple[Rule[File] | Rule[Image], ...] = (*FILE_RULES, *IMAGE_RULES)

__all__ = ["FILE_RULES", "IMAGE_RULES", "RULES", "File", "Image", "Rule"]
