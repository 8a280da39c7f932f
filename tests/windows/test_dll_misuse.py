"""What a host cannot do with a model DLL is an error and never a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from counting_model import WIDTH, eager
from weights_host import outputs

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost


@pytest.mark.parametrize(
    "defect",
    [
        "null",
        "wild",
        "zeros",
        "size",
        "huge-size",
        "load-factor",
        "buckets",
        "wild-node",
        "one-way",
        "name-size",
        "name-pointer",
    ],
)
def test_a_map_of_another_library_is_an_error_that_names_the_safe_entry_point(
    defect: str, counting: ModelDll, host: WeightsHost
) -> None:
    _, _, update, ran = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("update", 0, defect, "active", "copy", 1),
        ("run", 0, WIDTH),
    )
    assert update["error"] == 1
    assert "AOTInductorModelContainerUpdateConstantBufferPairs" in update["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)


def test_what_cannot_work_is_an_error_and_never_a_fault(
    counting: ModelDll, host: WeightsHost
) -> None:
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 0),
        ("create", 0, 1, "cuda"),
        ("run", 7, WIDTH),
        ("delete", 7),
        ("create", 0, 1),
        ("extract-map", 0),
        ("run", 0, WIDTH, "wrong-count"),
        ("run", 0, WIDTH),
    )
    assert [each["error"] for each in answers[1:8]] == [1, 1, 1, 1, 0, 1, 1]
    assert "num_models" in answers[1]["message"]
    assert "cuda" in answers[2]["message"]
    assert "ExtractConstantsMapEntries" in answers[6]["message"]
    assert "expected 1 inputs, got 2" in answers[7]["message"]
    assert outputs(answers[8])[0] == pytest.approx(eager(counting), abs=1e-5)
