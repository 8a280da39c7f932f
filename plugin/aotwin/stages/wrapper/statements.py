"""Lines of generated code that may do something with a constant."""

from __future__ import annotations

import re
from collections.abc import Iterator

_DECLARATION = re.compile(r"\[\[maybe_unused\]\] auto& \w+ = constants_->at\(\d+\);")
_WORD = re.compile(r"\b[A-Za-z_]\w*")


def words_of(text: str) -> list[str]:
    """The identifiers and keywords in C++, in order."""
    return _WORD.findall(text)


def statements(source: str, start: str) -> Iterator[tuple[str, list[str]]]:
    """Each line and its words, but for comments and those that only declare a constant's name.

    Args:
        source: the wrapper's C++.
        start: text from which on lines are taken; all, where it is not there.
    """
    for line in source[max(source.find(start), 0) :].splitlines():
        if not _DECLARATION.search(line) and not line.lstrip().startswith("//"):
            yield line, words_of(line)
