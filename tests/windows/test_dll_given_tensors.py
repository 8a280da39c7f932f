"""Weights that a host hands over as tensors, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from counting_model import WIDTH, eager
from weights_host import outputs

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost


@pytest.mark.parametrize("way", ["pairs", "map", "cpu-map"])
@pytest.mark.parametrize("form", ["same", "transposed"])
def test_tensors_are_copied_whatever_their_strides(
    way: str, form: str, counting: ModelDll, host: WeightsHost
) -> None:
    _, _, update, ran, info = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("update", 0, way, "active", "copy", 2, form),
        ("run", 0, WIDTH),
        ("info", 0),
    )
    assert update["error"] == 0, update["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting, 2), abs=1e-5)
    assert info["copied"] == counting.blob.constants_nbytes


@pytest.mark.parametrize("way", ["pairs", "map"])
def test_user_managed_tensors_are_used_where_they_lie(
    way: str, counting: ModelDll, host: WeightsHost
) -> None:
    _, _, update, ran, info = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("update", 0, way, "active", "user", 2),
        ("run", 0, WIDTH),
        ("info", 0),
    )
    assert update["error"] == 0, update["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting, 2), abs=1e-5)
    assert (info["user"], info["mapped"]) == (counting.blob.constants_nbytes, 0)


@pytest.mark.parametrize("given", [None, 1], ids=["all", "one"])
def test_a_container_is_created_over_the_host_s_tensors(
    given: int | None, counting: ModelDll, host: WeightsHost
) -> None:
    """AOTInductorModelContainerCreateWithExternalConstants; what is not given is mapped."""
    _, _, created, ran, info = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("create-external", 1, 2, *([given] if given else [])),
        ("run", 1, WIDTH),
        ("info", 1),
    )
    assert (created["error"], created["loaded"]) == (0, True), created["message"]
    # The buffer that the model writes is a copy, unless it is the host's.
    used = info["user"], info["mapped"], info["copied"]
    assert sum(used) == counting.blob.constants_nbytes
    if given is None:
        assert outputs(ran)[0] == pytest.approx(eager(counting, 2), abs=1e-5)
        assert used == (counting.blob.constants_nbytes, 0, 0)
    else:
        assert outputs(ran)
        assert info["user"] and info["mapped"] and info["copied"] <= 64


@pytest.mark.parametrize(
    ("form", "kind", "words"),
    [
        pytest.param("shape", "copy", "expected shape [64, 48], got [63, 48]", id="shape"),
        pytest.param("dtype", "copy", "dtype", id="dtype"),
        pytest.param("transposed", "user", "strides", id="strides-of-user-managed"),
    ],
)
def test_a_tensor_that_the_code_was_not_compiled_for_is_refused(
    form: str, kind: str, words: str, counting: ModelDll, host: WeightsHost
) -> None:
    _, _, update, ran = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("update", 0, "pairs", "active", kind, 2, form),
        ("run", 0, WIDTH),
    )
    assert update["error"] == 1
    assert words in update["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)


def test_the_inactive_buffer_is_filled_swapped_and_freed(
    counting: ModelDll, host: WeightsHost
) -> None:
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 2),
        ("swap", 0),
        ("run", 0, WIDTH),
        ("swap", 0),
        ("update", 0, "inactive-map", "inactive", "copy", 2),
        ("run", 0, WIDTH),
        ("swap", 0),
        ("run", 0, WIDTH),
        ("free-inactive", 0),
        ("swap", 0),
        ("run", 0, WIDTH),
        ("swap", 0),
        ("run", 0, WIDTH),
        ("update", 0, "pairs", "inactive", "copy", 3, "same", 2),
        ("swap", 0),
        ("run", 0, WIDTH),
        ("from_blob", 0, counting.blob.path, "view"),
        ("run", 0, WIDTH),
        ("info", 0),
        ("delete", 0),
    )
    # Buffers that were never filled, or freed, or filled in part: an error, never a fault.
    for at in (3, 11, 16):
        assert answers[at]["error"] == 1
        assert "the buffer in use was not filled" in answers[at]["message"]
    assert outputs(answers[6])[0] == pytest.approx(eager(counting), abs=1e-5)
    assert outputs(answers[8])[0] == pytest.approx(eager(counting, 2), abs=1e-5)
    assert outputs(answers[13])[0] == pytest.approx(eager(counting, 2), abs=1e-5)
    assert outputs(answers[18])[0] == pytest.approx(eager(counting), abs=1e-5)
    assert answers[19]["mapped"] == counting.blob.constants_nbytes - 64


def test_a_bare_model_takes_tensors_over(counting: ModelDll, host: WeightsHost) -> None:
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("create-bare", 1),
        ("update", 1, "bare-pairs", "active", "user", 2),
        ("run", 1, WIDTH, "bare"),
        ("update", 1, "bare-map", "active", "user", 3),
        ("run", 1, WIDTH, "bare"),
        ("delete-bare", 1),
    )
    assert [answers[at]["error"] for at in (3, 5, 7)] == [0, 0, 0]
    assert outputs(answers[4])[0] == pytest.approx(eager(counting, 2), abs=1e-5)
    assert outputs(answers[6])[0] == pytest.approx(eager(counting, 3), abs=1e-5)


def test_folded_constants_follow_their_sources(
    models: dict[str, ModelDll], host: WeightsHost
) -> None:
    folding = models["folding"]
    answers = host.run(
        ("load", folding.dll),
        ("create", 0, 2),
        ("run", 0, 8),
        ("update", 0, "pairs", "active", "copy", 2),
        ("run", 0, 8),
        ("fold", 0, "active"),
        ("run", 0, 8, "single"),
        ("update", 0, "map", "inactive", "copy", 0.5),
        ("fold", 0, "inactive"),
        ("run", 0, 8),
        ("swap", 0),
        ("run", 0, 8),
        ("threads", 0, 8, 4, 10),
        ("create-bare", 1),
        ("run", 1, 8, "bare"),
        ("delete-bare", 1),
        ("delete", 0),
    )
    with torch.no_grad():
        whole = folding.module(torch.ones(2, 8)).flatten()
    # The model is linear in each constant alone and in all of them together.
    for at, factor in ((2, 1), (4, 2), (6, 2), (9, 2), (11, 1), (14, 1)):
        assert outputs(answers[at])[0] == pytest.approx((whole * factor).tolist(), abs=1e-4)
    assert answers[12]["failures"] == 0
