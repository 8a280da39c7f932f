"""A model DLL finds and maps its weights, as hosts in plain C see it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from counting_model import PER_CALL, WIDTH, constant, eager
from weights_host import outputs

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost


def test_constants_lie_in_the_mapped_blob_but_those_that_the_model_writes(
    counting: ModelDll, host: WeightsHost
) -> None:
    _, created, listed, info, ran = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("constants", 0),
        ("info", 0),
        ("run", 0, WIDTH),
    )
    assert created["error"] == 0, created["message"]
    assert {name: each["kind"] for name, each in listed["constants"].items()} == {
        each.fqn: "private" if each.fqn == "calls" else "mapped"
        for each in counting.wrapper.constants
    }
    for name, each in listed["constants"].items():
        if name != "calls":
            assert each["file"].endswith("\\counting_weights.blob")
    start = listed["constants"]["wide"]["address"]
    for name in ("first.weight", "first.bias"):
        offset = constant(counting, name).offset - constant(counting, "wide").offset
        assert listed["constants"][name]["address"] == start + offset
    assert info["sha256"] == counting.blob.digest.hex()
    assert info["path"].endswith("\\counting_weights.blob")
    nbytes = counting.blob.constants_nbytes
    assert (info["size"], info["blob_size"], info["mapped"]) == (nbytes, nbytes, nbytes - 64)
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)


def test_a_constant_with_swapped_strides_is_read_as_it_was_exported(
    counting: ModelDll, host: WeightsHost
) -> None:
    _, _, ran = host.run(("load", counting.dll), ("create", 0, 1), ("run", 0, WIDTH))
    expected = float(counting.module.wide.detach().sum())
    assert outputs(ran)[1] == pytest.approx([expected, expected], abs=1e-3)


def test_each_container_has_its_own_copy_of_what_the_model_writes(
    counting: ModelDll, host: WeightsHost
) -> None:
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 1),
        ("create", 1, 1),
        ("run", 0, WIDTH),
        ("run", 0, WIDTH),
        ("run", 1, WIDTH),
        ("constants", 0),
        ("constants", 1),
    )
    counts = [outputs(each)[2] for each in answers[3:6]]
    assert counts == [[PER_CALL], [2 * PER_CALL], [PER_CALL]]
    first, second = (each["constants"]["calls"]["address"] for each in answers[6:])
    assert first != second


def test_several_runners_of_one_container_see_the_same_constants(
    counting: ModelDll, host: WeightsHost
) -> None:
    answers = host.run(
        ("load", counting.dll),
        ("create", 0, 4),
        ("threads", 0, WIDTH, 8, 25),
        ("run", 0, WIDTH, "single"),
        ("from_blob", 0, counting.blob.path, "bytes"),
        ("threads", 0, WIDTH, 8, 25),
    )
    assert answers[2]["failures"] == 0
    assert outputs(answers[3])[0] == pytest.approx(eager(counting), abs=1e-5)
    assert answers[5]["failures"] == 0


def test_a_bare_model_finds_the_blob_too(counting: ModelDll, host: WeightsHost) -> None:
    _, created, ran, again, deleted = host.run(
        ("load", counting.dll),
        ("create-bare", 0),
        ("run", 0, WIDTH, "bare"),
        ("run", 0, WIDTH, "bare"),
        ("delete-bare", 0),
    )
    assert (created["error"], deleted["error"]) == (0, 0)
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert outputs(again)[2] == [2 * PER_CALL]


def test_a_model_without_constants_works_with_and_without_its_blob(
    models: dict[str, ModelDll], host: WeightsHost, tmp_path: Path
) -> None:
    plain = models["plain"]
    alone = shutil.copyfile(plain.dll, tmp_path / "plain.dll")
    answers = host.run(
        ("load", plain.dll),
        ("create", 0, 1),
        ("run", 0, 4),
        ("info", 0),
        ("from_blob", 0, plain.blob.path, "view"),
        ("run", 0, 4),
        ("load", alone),
        ("create", 1, 1),
        ("run", 1, 4),
    )
    assert [outputs(answers[at]) for at in (2, 5, 8)] == [[[2.0] * 8]] * 3
    assert answers[3]["blob_size"] == 64


def test_a_thousand_containers_leave_nothing_behind(counting: ModelDll, host: WeightsHost) -> None:
    _, loop = host.run(("load", counting.dll), ("loop", 0, WIDTH, 1000))
    assert loop["error"] == 0, loop["message"]
    assert loop["last_views"] == loop["first_views"]
    assert loop["last_handle"] <= loop["first_handle"]
    # 900 times six constants: a leaked tensor each would be 2 MB at the least.
    assert loop["last_private"] - loop["first_private"] < 256 * 1024


def test_a_blob_in_use_can_be_read_and_not_written_and_afterwards_replaced(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path / "model")
    blob = dll.with_name(counting.blob.path.name)
    other = Path(shutil.copyfile(blob, tmp_path / "other.blob"))
    answers = host.run(
        ("load", dll),
        ("create", 0, 1),
        ("file", "open-for-reading", blob),
        ("file", "open-for-writing", blob),
        ("delete", 0),
        ("file", "open-for-writing", blob),
        ("file", "replace", blob, other),
        ("create", 0, 1),
        ("run", 0, WIDTH),
        ("delete", 0),
        ("file", "delete", blob),
        ("create", 0, 1),
        ("info", 0),
    )
    assert [answers[at]["done"] for at in (2, 3, 5, 6, 10)] == [True, False, True, True, True]
    assert answers[3]["windows_error"] == 32  # ERROR_SHARING_VIOLATION
    assert outputs(answers[8])[0] == pytest.approx(eager(counting), abs=1e-5)
    assert answers[12]["state"] == 0
    assert not blob.exists()
