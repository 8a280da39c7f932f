"""The rules of `aotwin check`, one module for each part of a file, in one table."""

from __future__ import annotations

from typing import Any

from aotwin.stages.check.rules.archive_rules import ARCHIVE_RULES, Archive
from aotwin.stages.check.rules.blob_rules import BLOB_RULES
from aotwin.stages.check.rules.claim_rules import CLAIM_RULES, Claim
from aotwin.stages.check.rules.directories import DIRECTORY_RULES
from aotwin.stages.check.rules.exports import EXPORT_RULES
from aotwin.stages.check.rules.file_rules import FILE_RULES
from aotwin.stages.check.rules.headers import HEADER_RULES
from aotwin.stages.check.rules.imports import IMPORT_RULES
from aotwin.stages.check.rules.input_rules import INPUT_RULES, Input
from aotwin.stages.check.rules.libs_rules import LIBS_RULES, libs_of
from aotwin.stages.check.rules.model import Model
from aotwin.stages.check.rules.model_rules import MODEL_RULES
from aotwin.stages.check.rules.rule import File, Image, Rule
from aotwin.stages.check.rules.sdk_rules import SDK_BIN, SDK_RULES, sdk_programs
from aotwin.stages.check.rules.sections import SECTION_RULES
from aotwin.stages.check.rules.signature_rules import SIGNATURE_RULES
from aotwin.stages.check.rules.wheel_rules import WHEEL_RULES, Wheel

#: rules on an image, in the order in which they are applied and documented
IMAGE_RULES: tuple[Rule[Image], ...] = (
    *HEADER_RULES,
    *SECTION_RULES,
    *DIRECTORY_RULES,
    *EXPORT_RULES,
    *IMPORT_RULES,
)
#: rules on one DLL's bytes
DLL_RULES: tuple[Rule[File] | Rule[Image], ...] = (*FILE_RULES, *SIGNATURE_RULES, *IMAGE_RULES)
#: every rule there is
RULES: tuple[Rule[Any], ...] = (
    *INPUT_RULES,
    *DLL_RULES,
    *CLAIM_RULES,
    *MODEL_RULES,
    *BLOB_RULES,
    *LIBS_RULES,
    *SDK_RULES,
    *ARCHIVE_RULES,
    *WHEEL_RULES,
)

__all__ = [
    "ARCHIVE_RULES",
    "BLOB_RULES",
    "CLAIM_RULES",
    "DLL_RULES",
    "FILE_RULES",
    "IMAGE_RULES",
    "INPUT_RULES",
    "LIBS_RULES",
    "MODEL_RULES",
    "RULES",
    "SDK_BIN",
    "SDK_RULES",
    "SIGNATURE_RULES",
    "WHEEL_RULES",
    "Archive",
    "Claim",
    "File",
    "Image",
    "Input",
    "Model",
    "Rule",
    "Wheel",
    "libs_of",
    "sdk_programs",
]
