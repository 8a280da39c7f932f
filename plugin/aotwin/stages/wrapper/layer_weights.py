"""Find the constants that generated code reads as weights of linear layers only, from its text."""

from __future__ import annotations

from collections.abc import Iterable

from aotwin.stages.wrapper.statements import statements

#: where the constructor ends, which names all constants
_START = "::_const_run_impl("
_OPERATOR = "aoti_torch_cpu__linear_pointwise("


def weights_of_layers(source: str, names: Iterable[str]) -> frozenset[str]:
    """Return those of `names` that nothing but the operator for layers gets, by their handles.

    Args:
        source: the wrapper's C++.
        names: the constants' names in the code.
    """
    left = set(names)
    for line, words in statements(source, _START):
        for name in left.intersection(words):
            # Rows and bias stand in calls of their own, or in the first place.
            if words.count(name) > 1 or _OPERATOR not in line or f", {name}, " not in line:
                left.remove(name)
    return frozenset(left)
