"""Weights that a host hands over as one blob."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from counting_model import PER_CALL, TRAILER_NBYTES, WIDTH, eager, scaled
from weights_host import outputs

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost


def test_without_a_blob_a_container_waits_for_weights_and_never_faults(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = Path(shutil.copyfile(counting.dll, tmp_path / "counting.dll"))
    twice = tmp_path / "twice" / counting.blob.path.name
    counting.relink(scaled(counting, 2), twice.parent)
    answers = host.run(
        ("load", dll),
        ("create", 0, 2),
        ("info", 0),
        ("run", 0, WIDTH),
        ("run", 0, WIDTH, "single"),
        ("fold", 0, "active"),
        ("fold", 0, "inactive"),
        ("constants", 0),
        ("create-bare", 1),
        ("run", 1, WIDTH, "bare"),
        ("delete-bare", 1),
        ("from_blob", 0, counting.blob.path, "bytes"),
        ("run", 0, WIDTH),
        ("from_blob", 0, twice, "view"),
        ("run", 0, WIDTH),
        ("info", 0),
        ("from_blob", 0, counting.blob.path, "view"),
        ("run", 0, WIDTH),
        ("delete", 0),
    )
    assert answers[1]["error"] == 0
    assert answers[2]["state"] == 0
    for at in (3, 4, 5, 6, 9):
        assert answers[at]["error"] == 1
        assert answers[2]["path"] in answers[at]["message"]
    assert answers[3]["inputs_taken"] and answers[9]["inputs_taken"]
    assert answers[7]["constants"] == {}
    ran = [outputs(answers[at])[0] for at in (12, 14, 17)]
    assert ran[0] == pytest.approx(eager(counting), abs=1e-5)
    assert ran[1] == pytest.approx(eager(counting, 2), abs=1e-5)
    assert ran[2] == pytest.approx(eager(counting), abs=1e-5)
    assert answers[15]["mapped"] == 0
    assert answers[15]["copied"] == counting.blob.constants_nbytes


def test_a_view_of_the_file_in_use_changes_nothing(counting: ModelDll, host: WeightsHost) -> None:
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("run", 0, WIDTH),
        ("constants", 0),
        ("from_blob", 0, counting.blob.path, "view"),
        ("constants", 0),
        ("run", 0, WIDTH),
        ("info", 0),
    )
    assert answers[4]["error"] == 0
    assert answers[5]["constants"] == answers[3]["constants"]
    assert outputs(answers[6])[2] == [2 * PER_CALL]
    assert answers[7]["copied"] == 64


def test_other_bytes_are_copied_each_time_and_the_file_in_use_can_come_back(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    folders = {factor: tmp_path / str(factor) for factor in (2, 3)}
    for factor, folder in folders.items():
        counting.relink(scaled(counting, factor), folder)
    # Same digest in the trailer, other bytes: only the file's identity tells.
    forged = tmp_path / "forged.blob"
    twice, thrice = (folders[factor] / counting.blob.path.name for factor in (2, 3))
    forged.write_bytes(scaled(counting, 2) + counting.blob.path.read_bytes()[-TRAILER_NBYTES:])
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("from_blob", 0, twice, "bytes"),
        ("run", 0, WIDTH),
        ("from_blob", 0, thrice, "view"),
        ("run", 0, WIDTH),
        ("info", 0),
        ("from_blob", 0, counting.blob.path, "view"),
        ("run", 0, WIDTH),
        ("info", 0),
        ("from_blob", 0, forged, "view"),
        ("run", 0, WIDTH),
        ("from_blob", 0, counting.blob.path, "copy-on-write"),
        ("run", 0, WIDTH),
    )
    first = [outputs(answers[at])[0] for at in (3, 5, 8, 11)]
    for found, factor in zip(first, (2, 3, 1, 2), strict=True):
        assert found == pytest.approx(eager(counting, factor), abs=1e-4)
    nbytes = counting.blob.constants_nbytes
    assert (answers[6]["mapped"], answers[6]["copied"]) == (0, nbytes)
    assert (answers[9]["mapped"], answers[9]["copied"]) == (nbytes - 64, 64)
    # The host zeroed the first page of its own view: that is where `wide` begins.
    changed = float(counting.module.wide.detach().t().flatten()[1024:].sum())
    assert outputs(answers[13])[1] == pytest.approx([changed, changed], abs=1e-3)


@pytest.mark.parametrize("what", ["short", "null"])
def test_bytes_that_cannot_be_all_constants_are_an_error_and_nothing_changes(
    what: str, counting: ModelDll, host: WeightsHost
) -> None:
    _, _, update, ran = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("from_blob", 0, counting.blob.path, what),
        ("run", 0, WIDTH),
    )
    assert update["error"] == 1
    assert {"short": "expected 95616 readable bytes", "null": "null"}[what] in update["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
