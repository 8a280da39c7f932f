"""Each C function of the run time does what torch's own does, over the inputs of torch's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from exported import WITHOUT_CASES, exported
from oracle import Line, ratios

Report = Mapping[str, Sequence[Line]]

#: Errors against float64 as a multiple of torch's, of the products of one function and dtype:
#: the mean, and the worst of those that have many values.
_MEAN, _WORST = 1.1, 2.5


@pytest.mark.parametrize("name", [name for name in exported() if name not in WITHOUT_CASES])
def test_function(name: str, report: Report) -> None:
    found = report.get(name, ())
    assert found, "no case calls it: give it one in tests/operators"
    wrong = [line for line in found if line.status != "passed"]
    assert not wrong, "\n".join(
        [
            f"{len(wrong)} of {len(found)} cases are wrong",
            *(f"#{one.number} {one.dtype} {one.status}: {one.detail}" for one in wrong[:20]),
        ]
    )


def test_products_are_not_less_accurate_than_those_of_torch(report: Report) -> None:
    worse = {
        which: str(each)
        for which, each in ratios(report).items()
        if each.mean > _MEAN or each.worst > _WORST
    }
    assert worse == {}
