"""Programs are loaded from a project's modules and from saved files."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from aotwin.errors import ProgramError  # noqa: E402
from aotwin.stages.generate.program import load_program  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]

MODULE = """
import torch
from torch.export import export

class Double(torch.nn.Module):
    def forward(self, x):
        return x * 2

class Branches(torch.nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x

doubled = export(Double(), (torch.randn(3),))
print("talk on stdout")

def make():
    return doubled

def fails():
    return export(Branches(), (torch.randn(3),))

def leaves():
    raise SystemExit("no weights here")

class Namespace:
    inner = doubled

number = 5
module = Double()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "export_model.py").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize("attribute", ["doubled", "make", "Namespace.inner"])
def test_a_program_is_found_at(attribute: str, project: Path) -> None:
    program = load_program(f"export_model:{attribute}", project)
    assert isinstance(program, torch.export.ExportedProgram)


def test_a_program_is_found_in_a_src_folder(tmp_path: Path) -> None:
    (tmp_path / "src" / "package").mkdir(parents=True)
    (tmp_path / "src" / "package" / "__init__.py").touch()
    (tmp_path / "src" / "package" / "export_model.py").write_text(MODULE)
    program = load_program("package.export_model:doubled", tmp_path)
    assert isinstance(program, torch.export.ExportedProgram)


def test_the_project_is_importable_only_during_the_load(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = list(sys.path)
    load_program("export_model:doubled", project)
    assert sys.path == path
    assert not (project / "__pycache__").exists()
    assert capsys.readouterr().out == ""


def test_two_projects_may_use_one_module_name(project: Path, tmp_path: Path) -> None:
    load_program("export_model:doubled", project)
    other = tmp_path / "other"
    other.mkdir()
    (other / "export_model.py").write_text(MODULE.replace("doubled", "second"))
    assert load_program("export_model:second", other)


def test_a_saved_program_is_loaded(project: Path) -> None:
    program = load_program("export_model:doubled", project)
    torch.export.save(program, project / "saved.pt2")
    loaded = load_program("saved.pt2", project)
    x = torch.randn(3)
    assert torch.equal(loaded.module()(x), x * 2)


REFUSED = {
    "module that is not there": ("nowhere:x", "does not import", "No module named 'nowhere'"),
    "attribute that is not there": ("export_model:double", "no attribute 'double'", "'doubled'"),
    "attribute of an attribute": ("export_model:Namespace.iner", "no attribute 'iner'", "'inner'"),
    "number": ("export_model:number", "is a int, no ExportedProgram", "torch.export.export"),
    "module that is not exported": ("export_model:module", "is a Double, no Exp", "torch.export"),
    "class": ("export_model:Double", "is a class, no ExportedProgram", "torch.export"),
    "program that does not export": ("export_model:fails", "fails to export", "export_model.py:11"),
    "function that exits": ("export_model:leaves", "fails to export", "no weights here"),
    "file that is not there": ("nothing.pt2", "does not exist", "nothing.pt2"),
}


@pytest.mark.parametrize(("reference", "fact", "cause"), REFUSED.values(), ids=REFUSED)
def test_a_reference_is_refused_to_a(reference: str, fact: str, cause: str, project: Path) -> None:
    with pytest.raises(ProgramError, match=fact) as error:
        load_program(reference, project)
    assert cause in error.value.cause
    assert error.value.next_step


BROKEN = {
    "raises": ("import torch\nx = 1\nraise ValueError('no\\nweights')", "ValueError: no", ":3"),
    "has a syntax error": ("x = 1\ndef (", "SyntaxError", ":2"),
    "imports what is missing": ("import nowhere_at_all", "ModuleNotFoundError", ":1"),
}


@pytest.mark.parametrize(("text", "message", "line"), BROKEN.values(), ids=BROKEN)
def test_the_place_is_named_where_a_module(
    text: str, message: str, line: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ProgramError, match="does not import") as error:
        load_program("broken:x", tmp_path)
    assert message in error.value.cause
    assert f"broken.py{line}" in error.value.cause


def test_an_export_that_fails_at_import_is_called_so(project: Path) -> None:
    (project / "at_import.py").write_text(MODULE + "\nprogram = fails()\n")
    with pytest.raises(ProgramError, match="fails to export") as error:
        load_program("at_import:program", project)
    assert "at_import.py:11" in error.value.cause


ARCHIVES = {
    "compiled by AOTInductor": ("m/data/aotinductor/model/m.wrapper.cpp", "what AOTInductor"),
    "of something else": ("notes.txt", "no archive of"),
}


@pytest.mark.parametrize(("member", "message"), ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_is_refused(member: str, message: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr(member, b"")
    with pytest.raises(ProgramError, match=message) as error:
        load_program("m.pt2", tmp_path)
    assert error.value.next_step


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pt2").write_bytes(b"no zip")
    with pytest.raises(ProgramError, match="no archive of"):
        load_program("m.pt2", tmp_path)


def test_a_damaged_program_is_refused(project: Path) -> None:
    with zipfile.ZipFile(project / "m.pt2", "w") as archive:
        archive.writestr("m/archive_format", b"pt2")
        archive.writestr("m/models/model.json", b"{")
    with pytest.raises(ProgramError, match="cannot be loaded"):
        load_program("m.pt2", project)


def test_without_torch_the_requirement_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.export", None)
    with pytest.raises(ProgramError, match="torch is missing") as error:
        load_program("export_model:doubled", project)
    assert error.value.next_step.startswith("Add torch")
    assert "build-system.requires" in error.value.next_step
