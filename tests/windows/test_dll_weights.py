"""A model DLL finds, checks, maps and replaces its weights, as hosts in plain C see it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from windows_on_wine import WindowsPython

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import Answer, WeightsHost

    from aotwin.values import Constant

WIDTH = 64
TRAILER_NBYTES = 64
#: three buffers' worth of calls are summed by the model
PER_CALL = 3.0


def eager(model: ModelDll, factor: float = 1.0) -> list[float]:
    """First output of the module with all its constants times a factor."""
    module = model.module
    with torch.no_grad():
        x = torch.ones(2, WIDTH)
        hidden = torch.tanh(x @ (module.first.weight * factor).T + module.first.bias * factor)
        y = hidden @ (module.second.weight * factor).T + module.second.bias * factor
        table = (module.table * factor).cos().sum()
    return list((y + table).flatten().tolist())


def outputs(answer: Answer) -> list[Any]:
    assert answer["error"] == 0, answer["message"]
    return list(answer["outputs"])


def scaled(model: ModelDll, factor: float) -> bytes:
    """All constants of a model, which are float32, times a factor."""
    values = torch.frombuffer(bytearray(model.constants), dtype=torch.float32) * factor
    return values.numpy().tobytes()


def constant(model: ModelDll, fqn: str) -> Constant:
    return next(each for each in model.wrapper.constants if each.fqn == fqn)


# --- found and mapped -------------------------------------------------------------------------


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


# --- the file while it is used ----------------------------------------------------------------


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


# --- wrong blobs ------------------------------------------------------------------------------


def spoil_short(blob: Path, counting: ModelDll) -> None:
    os.truncate(blob, blob.stat().st_size - 1)


def spoil_long(blob: Path, counting: ModelDll) -> None:
    with blob.open("ab") as file:
        file.write(b"\0")


def spoil_empty(blob: Path, counting: ModelDll) -> None:
    os.truncate(blob, 0)


def spoil_without_trailer(blob: Path, counting: ModelDll) -> None:
    os.truncate(blob, counting.blob.constants_nbytes)


def spoil_magic(blob: Path, counting: ModelDll) -> None:
    with blob.open("r+b") as file:
        file.seek(counting.blob.constants_nbytes)
        file.write(b"WRONGOHO")


def spoil_version(blob: Path, counting: ModelDll) -> None:
    with blob.open("r+b") as file:
        file.seek(counting.blob.constants_nbytes + 8)
        file.write(b"\x02")


def spoil_foreign(blob: Path, counting: ModelDll) -> None:
    folder = blob.parent / "foreign"
    counting.relink(scaled(counting, 2), folder)
    shutil.move(folder / blob.name, blob)


def spoil_directory(blob: Path, counting: ModelDll) -> None:
    blob.unlink()
    blob.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(spoil_short, ["expected 95680 bytes", "found 95679"], id="short"),
        pytest.param(spoil_long, ["expected 95680 bytes", "found 95681"], id="long"),
        pytest.param(spoil_empty, ["found 0"], id="empty"),
        pytest.param(spoil_without_trailer, ["found 95616"], id="without-trailer"),
        pytest.param(spoil_magic, ["AOTWBLOB", "57524f4e474f484f"], id="no-mark"),
        pytest.param(spoil_version, ["version 1", "found 2"], id="later-version"),
        pytest.param(spoil_foreign, ["expected sha256"], id="of-another-build"),
        pytest.param(spoil_directory, ["cannot open", "Windows error 5"], id="a-folder"),
    ],
)
def test_a_wrong_blob_is_an_error_that_tells_what_was_expected_found_and_where(
    spoil: Any, words: list[str], counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    assert counting.blob.path.stat().st_size == 95616 + TRAILER_NBYTES
    dll = counting.copied_to(tmp_path)
    blob = dll.with_name(counting.blob.path.name)
    spoil(blob, counting)
    _, created, bare = host.run(("load", dll), ("create", 0, 1), ("create-bare", 1))
    for answer in (created, bare):
        assert answer["error"] == 1
        for word in [*words, "\\counting_weights.blob"]:
            assert word in answer["message"]
    assert not created["created"]


def test_a_blob_that_another_program_holds_is_an_error(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path)
    _, held, created = host.run(
        ("load", dll),
        ("file", "hold", dll.with_name(counting.blob.path.name)),
        ("create", 0, 1),
    )
    assert held["done"]
    assert created["error"] == 1
    assert "Windows error 32" in created["message"]


def test_a_flipped_byte_is_found_where_all_bytes_are_verified(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path)
    with dll.with_name(counting.blob.path.name).open("r+b") as file:
        file.seek(counting.blob.constants_nbytes // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    name = "AOTWIN_VERIFY_WEIGHTS"
    answers = host.run(
        ("load", dll),
        ("create", 0, 1),
        ("environment", name, "full"),
        ("create", 1, 1),
        ("load", counting.dll),
        ("create", 2, 1),
        ("environment", name, "fully"),
        ("create", 3, 1),
        ("environment", name),
        ("environment", "AOTWIN_PREFETCH", "1"),
        ("create", 4, 1),
        ("run", 4, WIDTH),
    )
    assert answers[1]["error"] == 0
    assert answers[3]["error"] == 1
    assert "is damaged" in answers[3]["message"]
    assert counting.blob.digest.hex() in answers[3]["message"]
    assert answers[5]["error"] == 0, answers[5]["message"]
    assert answers[7]["error"] == 1
    assert '"fully"' in answers[7]["message"]
    assert outputs(answers[11])[0] == pytest.approx(eager(counting), abs=1e-5)


# --- without a blob ---------------------------------------------------------------------------


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


# --- weights handed over as one blob ----------------------------------------------------------


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


# --- weights handed over as tensors -----------------------------------------------------------


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


# --- paths ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param("with some spaces", id="spaces"),
        pytest.param("Größe 模型 🙂", id="non-ascii"),
        pytest.param("/".join(["folder-with-a-rather-long-name" * 4] * 3), id="over-260"),
        pytest.param("/".join(["模型" * 20] * 12), id="non-ascii-over-260"),
    ],
)
def test_the_blob_is_found_beside_the_dll_in_any_folder(
    folder: str, counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path / folder)
    loaded, created, ran, info = host.run(
        ("load", dll), ("create", 0, 1), ("run", 0, WIDTH), ("info", 0)
    )
    assert loaded["loaded"], loaded
    assert created["error"] == 0, created["message"]
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    found = Path(info["path"].removeprefix("\\\\?\\").removeprefix("Z:").replace("\\", "/"))
    assert found == dll.with_name(counting.blob.path.name)


@pytest.mark.parametrize("folder", ["short", "/".join(["模型" * 20] * 12)], ids=["short", "long"])
def test_a_blob_of_another_model_is_found_by_its_relative_path(
    folder: str, counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    home = tmp_path / folder
    reference = f"../../encoder/{counting.blob.path.name}"
    own = home / "tools/decoder"
    own.mkdir(parents=True)
    dll = counting.link(dataclasses.replace(counting.blob, shared_from=reference), own).path
    script = (("load", dll), ("create", 0, 1), ("run", 0, WIDTH), ("info", 0))
    _, _, missing, _ = host.run(*script)
    assert missing["error"] == 1
    assert f"encoder\\{counting.blob.path.name}" in missing["message"]
    counting.copied_to(home / "encoder")
    _, _, ran, info = host.run(*script)
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert info["path"].endswith(f"\\encoder\\{counting.blob.path.name}")
    assert ".." not in info["path"]
    # A host program that ships this model alone puts the blob beside the DLL.
    shutil.move(home / "encoder" / counting.blob.path.name, own)
    _, _, ran, info = host.run(*script)
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert info["path"].endswith(f"\\decoder\\{counting.blob.path.name}")


def test_a_renamed_dll_finds_the_blob_that_it_was_linked_with(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    dll = counting.copied_to(tmp_path, dll_name="counting.wrapper.pyd")
    _, _, ran, info = host.run(("load", dll), ("create", 0, 1), ("run", 0, WIDTH), ("info", 0))
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)
    assert info["path"].endswith("\\counting_weights.blob")


def test_a_dll_loaded_by_a_relative_path_finds_its_blob(
    counting: ModelDll, host: WeightsHost, tmp_path: Path
) -> None:
    counting.copied_to(tmp_path / "model")
    loaded, _, ran = host.run(
        ("load", ".\\model\\counting.dll", "relative"),
        ("create", 0, 1),
        ("run", 0, WIDTH),
        cwd=tmp_path,
    )
    assert loaded["loaded"], loaded
    assert outputs(ran)[0] == pytest.approx(eager(counting), abs=1e-5)


def test_paths_get_the_form_without_a_length_limit(
    windows: WindowsPython, paths_host: Path
) -> None:
    pairs = {
        "C:\\models\\a.dll": "\\\\?\\C:\\models\\a.dll",
        "C:/models/../x/a.dll": "\\\\?\\C:\\x\\a.dll",
        "\\\\server\\share\\m\\a.dll": "\\\\?\\UNC\\server\\share\\m\\a.dll",
        "\\\\?\\C:\\models\\a.dll": "\\\\?\\C:\\models\\a.dll",
        "\\\\?\\UNC\\server\\share\\a.dll": "\\\\?\\UNC\\server\\share\\a.dll",
        "C:\\Größe\\模型.dll": "\\\\?\\C:\\Größe\\模型.dll",
        "C:\\" + "long\\" * 100 + "a.dll": "\\\\?\\C:\\" + "long\\" * 100 + "a.dll",
    }
    done = windows.exe(paths_host, list(pairs))
    assert done.stdout.splitlines() == list(pairs.values())
