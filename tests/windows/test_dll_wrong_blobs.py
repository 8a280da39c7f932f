"""A model DLL refuses a blob that is not the one it was linked with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from counting_model import TRAILER_NBYTES, WIDTH, eager, scaled
from weights_host import outputs

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost


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
