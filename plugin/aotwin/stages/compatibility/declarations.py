"""C functions that torch's headers declare, each with a digest of its signature.

Generated code calls torch through C functions alone (`aoti_*`, `torch_*`). One that is there in two
versions under the same name, but takes other arguments, must not be taken for the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

#: folders of headers, from `include/`, that declare what torch_cpu.dll exports as C
_FOLDERS = (
    "torch/csrc/inductor/aoti_torch/c",
    "torch/csrc/inductor/aoti_torch/generated",
    "torch/csrc/inductor/aoti_torch/generated/extend",
    "torch/csrc/stable/c",
)
#: functions of devices that are not built for
_OTHER_DEVICES = re.compile(r"_(?:cuda|xpu|mps|mtia)\.h$")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DECLARATION = re.compile(
    r"\b(?:AOTI_TORCH_EXPORT|TORCH_API|AOTI_API)\s+(?P<result>[\w\s*]+?[\s*])"
    r"(?P<name>(?:aoti|torch)_\w+)\s*\((?P<arguments>[^;{}]*)\)\s*;"
)
_TOKEN = re.compile(r"\w+|\*|&|\S")
_QUALIFIERS = frozenset({"const", "struct", "enum"})
_DIGEST_LENGTH = 8


def declared_signatures(include: Path) -> dict[str, str]:
    """What a torch's headers declare.

    Args:
        include: the folder that holds `torch/`.

    Returns:
        Function -> digest of its result and argument types, the arguments' names left out.
    """
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        for path in sorted((include / folder).glob("*.h")):
            if not _OTHER_DEVICES.search(path.name):
                found |= signatures_in(path.read_text(encoding="utf-8"))
    return found


def signatures_in(header: str) -> dict[str, str]:
    """The same of one header's text."""
    return {
        match["name"]: _digest(f"{_type(match['result'])}({', '.join(_types(match['arguments']))})")
        for match in _DECLARATION.finditer(_COMMENT.sub(" ", header))
    }


def _types(arguments: str) -> Iterator[str]:
    for argument in arguments.split(","):
        tokens = _TOKEN.findall(argument)
        # "int64_t dim" has a name, "int64_t" and "const char*" have none
        named = len(tokens) > 1 and tokens[-1].isidentifier() and tokens[-2] not in _QUALIFIERS
        yield " ".join(tokens[:-1] if named else tokens)


def _type(text: str) -> str:
    return " ".join(_TOKEN.findall(text))


def _digest(signature: str) -> str:
    return hashlib.sha256(signature.encode()).hexdigest()[:_DIGEST_LENGTH]
