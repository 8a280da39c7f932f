"""A pure wheel and built models become one wheel for the target, or nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from email.parser import Parser
from pathlib import Path

import pytest
from installer.sources import WheelFile

from aotwin.errors import CheckError, ConfigurationError, StorageError
from aotwin.stages.pack.wheel import PackedFile, PackedModel, add_top_levels, check_pure, pack_wheel

INFO = "demo_project-1.0.dist-info"
PURE = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n\n"
PROJECT = {
    "demo/__init__.py": '"""The package."""\n',
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: demo-project\nVersion: 1.0\n",
    f"{INFO}/WHEEL": PURE,
    f"{INFO}/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
    f"{INFO}/licenses/LICENSE": "Do as you like.\n",
    f"{INFO}/top_level.txt": "demo\n",
    f"{INFO}/RECORD": "out of date\n",
}
DLL = b"MZ" + bytes(range(256)) * 8
SEALED = hashlib.sha256(DLL).hexdigest()


def pure_wheel(
    folder: Path,
    files: Mapping[str, str] = PROJECT,
    name: str = "demo_project-1.0-py3-none-any.whl",
    mode: int = 0o100664,
) -> Path:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as archive:
        for file, text in files.items():
            info = zipfile.ZipInfo(file, (2022, 2, 2, 2, 2, 2))
            info.external_attr = mode << 16
            archive.writestr(info, text)
    return folder / name


def model(folder: Path, name: str = "demo.classifier", sha256: str | None = SEALED) -> PackedModel:
    home = name.replace(".", "/")
    (folder / "model.blob").write_bytes(bytes(4096))
    return PackedModel(
        name,
        (
            PackedFile(f"{home}/__init__.py", b"model = 1\n"),
            PackedFile(f"{home}/classifier.dll", DLL, sha256),
            PackedFile(f"{home}/classifier_weights.blob", folder / "model.blob"),
            PackedFile(f"{home}/aotwin.json", b"{}\n"),
        ),
    )


def test_the_wheel_is_for_the_target_and_holds_both(tmp_path: Path) -> None:
    pure = pure_wheel(tmp_path / "pure")
    path = pack_wheel(pure, [model(tmp_path)], tmp_path / "dist", wheel_tag="win_amd64")
    assert path == tmp_path / "dist" / "demo_project-1.0-py3-none-win_amd64.whl"
    assert list(path.parent.iterdir()) == [path]
    with WheelFile.open(path) as source:
        source.validate_record(validate_contents=True)
        wheel = Parser().parsestr(source.read_dist_info("WHEEL"))
        assert (wheel["Root-Is-Purelib"], wheel["Tag"]) == ("false", "py3-none-win_amd64")
        assert wheel["Generator"].startswith("aotwin ")
        for kept in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
            assert source.read_dist_info(kept) == PROJECT[f"{INFO}/{kept}"]
    archive = zipfile.ZipFile(path)
    assert archive.namelist()[-1] == f"{INFO}/RECORD"
    assert archive.read("demo/classifier/classifier.dll") == DLL
    stored = {i.filename for i in archive.infolist() if i.compress_type == zipfile.ZIP_STORED}
    assert stored == {
        "demo/classifier/classifier.dll",
        "demo/classifier/classifier_weights.blob",
    }


def test_an_independent_checker_finds_nothing_to_say(tmp_path: Path) -> None:
    path = pack_wheel(
        pure_wheel(tmp_path / "pure"), [model(tmp_path)], tmp_path, wheel_tag="win_amd64"
    )
    checker = [sys.executable, "-m", "check_wheel_contents", "--no-config", str(path)]
    result = subprocess.run(checker, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, f"{path}: OK\n")


def test_a_build_number_is_kept(tmp_path: Path) -> None:
    files = {**PROJECT, f"{INFO}/WHEEL": PURE + "Build: 7\n"}
    pure = pure_wheel(tmp_path, files, "demo_project-1.0-7-py3-none-any.whl")
    path = pack_wheel(pure, [], tmp_path, wheel_tag="win_amd64")
    assert path.name == "demo_project-1.0-7-py3-none-win_amd64.whl"
    with WheelFile.open(path) as source:
        assert "Build: 7\n" in source.read_dist_info("WHEEL")


@pytest.mark.parametrize(
    "epoch", [pytest.param(None, id="no epoch"), pytest.param("1700000000", id="an epoch")]
)
def test_the_bytes_depend_on_neither_times_nor_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: str | None
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    if epoch:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    packed = []
    for folder, mode in (("a", 0o100664), ("b", 0o100600)):
        pure = pure_wheel(tmp_path / folder, mode=mode)
        out = tmp_path / folder / "dist"
        packed.append(pack_wheel(pure, [model(tmp_path)], out, wheel_tag="win_amd64").read_bytes())
    assert packed[0] == packed[1]


def test_scripts_stay_executable_and_nothing_else_is(tmp_path: Path) -> None:
    script = "demo_project-1.0.data/scripts/run"
    pure = pure_wheel(tmp_path, {**PROJECT, script: "#!python\n"}, mode=0o100744)
    path = pack_wheel(pure, [model(tmp_path)], tmp_path, wheel_tag="win_amd64")
    infos = {info.filename: info for info in zipfile.ZipFile(path).infolist()}
    assert oct(infos[script].external_attr >> 16) == "0o100755"
    assert oct(infos["demo/classifier/classifier.dll"].external_attr >> 16) == "0o100644"


def test_the_model_becomes_a_top_level_name_where_it_is_one(tmp_path: Path) -> None:
    path = pack_wheel(
        pure_wheel(tmp_path),
        [model(tmp_path), model(tmp_path, "another.model")],
        tmp_path,
        wheel_tag="win_amd64",
    )
    assert zipfile.ZipFile(path).read(f"{INFO}/top_level.txt") == b"another\ndemo\n"
    assert add_top_levels(b"\n", ["a.b"]) == b"a\n"


def test_a_dll_that_is_not_the_checked_one_leaves_nothing(tmp_path: Path) -> None:
    tampered = model(tmp_path, sha256="0" * 64)
    with pytest.raises(CheckError, match=r"classifier\.dll in the wheel is not the file that was"):
        pack_wheel(pure_wheel(tmp_path), [tampered], tmp_path / "dist", wheel_tag="win_amd64")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    "file",
    [
        pytest.param("demo/classifier/__init__.py", id="the same name"),
        pytest.param("Demo/Classifier/aotwin.json", id="another case"),
        pytest.param("demo/classifier", id="a file in place of the model's folder"),
        pytest.param("demo/aux.py", id="a device"),
    ],
)
def test_a_project_file_that_cannot_be_beside_the_model_is_refused(
    tmp_path: Path, file: str
) -> None:
    pure = pure_wheel(tmp_path, {**PROJECT, file: ""})
    with pytest.raises(CheckError, match="Windows"):
        pack_wheel(pure, [model(tmp_path)], tmp_path / "dist", wheel_tag="win_amd64")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("wheel_file", "name", "cause"),
    [
        pytest.param(
            PURE.replace("true", "false"), "demo_project-1.0-py3-none-any.whl", "Purelib", id="root"
        ),
        pytest.param(
            PURE.replace("py3-none-any", "cp311-cp311-linux_x86_64"),
            "demo_project-1.0-cp311-cp311-linux_x86_64.whl",
            "built for cp311-cp311-linux_x86_64",
            id="tag",
        ),
        pytest.param(PURE, "demo_project.whl", "name", id="name"),
    ],
)
def test_a_wheel_for_this_machine_is_refused(
    tmp_path: Path, wheel_file: str, name: str, cause: str
) -> None:
    pure = pure_wheel(tmp_path, {**PROJECT, f"{INFO}/WHEEL": wheel_file}, name)
    with pytest.raises(ConfigurationError, match="not a pure Python wheel") as caught:
        pack_wheel(pure, [], tmp_path / "dist", wheel_tag="win_amd64")
    assert cause in caught.value.cause


def test_two_descriptions_in_one_wheel_are_refused(tmp_path: Path) -> None:
    pure = pure_wheel(tmp_path, {**PROJECT, "other-1.dist-info/WHEEL": PURE})
    with pytest.raises(ConfigurationError, match="not a pure Python wheel"):
        check_pure(pure)


def test_a_wheel_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo-1.0-py3-none-any.whl").write_bytes(b"PK")
    with pytest.raises(StorageError, match="cannot be read"):
        check_pure(tmp_path / "demo-1.0-py3-none-any.whl")


def test_a_missing_model_file_is_an_error_of_the_family(tmp_path: Path) -> None:
    gone = PackedModel("demo.m", (PackedFile("demo/m/m.dll", tmp_path / "gone.dll", SEALED),))
    with pytest.raises(StorageError, match=r"gone\.dll cannot be read"):
        pack_wheel(pure_wheel(tmp_path), [gone], tmp_path / "dist", wheel_tag="win_amd64")
