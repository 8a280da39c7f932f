"""Find the constants that generated code reads as weights of linear layers only, from its text."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: where the constructor ends, which names all constants
_START = "::_const_run_impl("
_OPERATOR = "aoti_torch_cpu__linear_pointwise("
_DECLARATION = re.compile(r"\[\[maybe_unused\]\] auto& \w+ = constants_->at\(\d+\);")
_WORD = re.compile(r"\b[A-Za-z_]\w*")


def weights_of_layers(source: str, names: Iterable[str]) -> frozenset[str]:
    """Return those of `names` that nothing but the operator for layers gets, by their handles.

    Args:
        source: the wrapper's C++.
        names: the constants' names in the code.
    """
    left = set(names)
    for line in source[max(source.find(_START), 0) :].splitlines():
        words = _WORD.findall(line)
        for name in left.intersection(words):
            if not _is_weight(line, name, words.count(name)):
                left.remove(name)
    return frozenset(left)


def _is_weight(line: str, name: str, count: int) -> bool:
    if _DECLARATION.search(line) or line.lstrip().startswith("//"):
        return True
    # Rows and bias stand in calls of their own, or in the first place.
    return count == 1 and _OPERATOR in line and f", {name}, " in line
