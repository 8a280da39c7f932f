"""Programs in C and C++ open, describe and run models through the SDK, and misuse it safely."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from sdk_build import SDK_HOSTS, classifier_module, floats, linked, patched, various_module

from aotwin.adapters.pe.exports import exported_names
from aotwin.adapters.pe.image import PeFacts
from aotwin.adapters.pe.readers import read_with
from aotwin.reporting import write_report
from aotwin.stages.runtime.library import run_time_functions
from report_sample import examples_of

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from sdk_build import Sdk

REPO = Path(__file__).resolve().parents[2]
OK, ARGUMENT, NOT_FOUND, TORCH, CPU, MODEL, WEIGHTS, UNSUPPORTED = range(8)
DTYPE, RANK, SIZE, BUFFER = range(8, 12)
BATCH = 3


@pytest.fixture(scope="session")
def c_host(torch_sdk: Sdk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled with the SDK of one run time, it runs models over both."""
    return torch_sdk.compile(SDK_HOSTS / "sdk_host.c", tmp_path_factory.mktemp("c_host"))


@pytest.fixture(scope="session")
def cpp_host(torch_sdk: Sdk, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cpp_host")
    return torch_sdk.compile(SDK_HOSTS / "sdk_host.cpp", folder, libraries="libaotwin.dll.a")


def eager() -> dict[str, torch.Tensor]:
    """What the hosts' right call gives, by eager torch."""
    x = torch.arange(BATCH * 8.0).reshape(BATCH, 8) / 8
    image = torch.arange(48.0).reshape(1, 3, 4, 4)
    half = torch.ones(BATCH, 8, dtype=torch.bfloat16)
    with torch.no_grad():
        return dict(various_module()(x, half, image, torch.tensor([2, 0])))


# --- described and run ------------------------------------------------------------------------


def test_a_model_tells_names_types_and_sizes(sdk: Sdk, c_host: Path) -> None:
    opened, described, model, weights, *tensors = sdk.lines(
        c_host, "describe", sdk.various, sdk.named_torch
    )
    assert (opened[1], described[1]) == ("0", "0")
    dll = sdk.various / "various.dll"
    assert model == ["model", sdk.windows.path(dll), sdk.windows.path(
        sdk.various / "various_weights.blob"), "2.13.0", "x86-64-v3"]  # fmt: skip
    assert weights == ["weights", "192", "128", "64"]
    free = tensors[0][4].split()[0]
    assert tensors == [
        ["input", "x", "0", "float32", f" {free} 8"],
        ["input", "half", "0", "bfloat16", f" {free} 8"],
        ["input", "image", "0", "float32", " 1 3 4 4"],
        ["input", "at", "0", "int64", " 2"],
        ["output", "linear", "0", "float32", f" {free} 4"],
        ["output", "linear", "0", "float32", f" {free} 4"],
        ["output", "mul", "0", "bfloat16", f" {free} 8"],
        ["output", "max_pool2d", "0", "float32", " 1 3 2 2"],
        ["output", "index", "0", "float32", " 2 8"],
        ["output", "output5", "1", "none", ""],
        ["output", "output6", "1", "none", ""],
        ["output", tensors[11][1], "2", "none", ""],
        ["output", "add", "0", "float32", " 3"],
    ]


def test_buffers_may_have_strides_of_any_order(sdk: Sdk, c_host: Path) -> None:
    lines = sdk.lines(c_host, "strides", sdk.various, sdk.named_torch)
    assert [line[1] for line in lines if line[0] in ("dense", "strided", "rows", "channels last")]
    values = [floats(line[1]) for line in lines if line[0] in ("y", "again", "spread", "pooled")]
    y, again, spread, from_rows, from_channels_last = values
    expected = eager()
    assert y == again == pytest.approx(expected["y"].flatten().tolist(), abs=1e-6)
    assert spread[0::2] == pytest.approx(y, abs=1e-6)
    assert set(spread[1::2]) == {-1.0}
    assert from_rows == from_channels_last == expected["image"].flatten().tolist()


def test_results_outlive_their_model(sdk: Sdk, c_host: Path) -> None:
    _, ran, *rows, behind = sdk.lines(c_host, "results", sdk.various, sdk.named_torch)
    assert (ran[1], behind[1]) == ("0", str(ARGUMENT))
    assert [row[1:] for row in rows if row[0] == "result"] == [
        ["float32", "2", "48"], ["float32", "2", "48"], ["bfloat16", "2", "48"],
        ["float32", "4", "48"], ["float32", "2", "64"], ["none", "0", "0"],
        ["int64", "0", "8"], ["int64", "0", "8"], ["float32", "1", "12"],
    ]  # fmt: skip
    (y,) = (floats(row[1]) for row in rows if row[0] == "y")
    assert y == pytest.approx(eager()["y"].flatten().tolist(), abs=1e-6)


def test_a_thousand_openings_leave_nothing_behind(sdk: Sdk, c_host: Path) -> None:
    found = {
        line[0]: line[1] for line in sdk.lines(c_host, "loop", sdk.various, sdk.named_torch, "1000")
    }
    assert (found["loop"], found["calls"]) == ("0", "1")
    assert int(found["views"]) == 0
    assert int(found["handles"]) <= 0
    # 900 times: one leaked tensor, name or locale each would be above this.
    assert int(found["memory"]) < 64 * 1024


# --- misused ----------------------------------------------------------------------------------

ERRORS: Mapping[str, tuple[int, str]] = {
    "input dtype": (DTYPE, "input 0 'x' must be float32, got float64"),
    "input dtype unknown": (DTYPE, "99, which is no element type"),
    "input dtype none": (DTYPE, "0, which is no element type"),
    "input rank": (RANK, "input 0 'x' must have 2 dimensions"),
    "input rank negative": (RANK, "got -1"),
    "input size": (SIZE, "must have the shape [1, 3, 4, 4], got [1, 4, 4, 4]"),
    "input size negative": (SIZE, "the negative size -3"),
    "input sizes disagree": (SIZE, "is 3 as in input 0 'x', got [2, 8]"),
    "input size huge": (SIZE, "more elements than there are addresses"),
    "input data null": (ARGUMENT, "input 0 'x' has no elements: the pointer is null"),
    "input sizes null": (ARGUMENT, "input 0 'x' has no sizes: the pointer is null"),
    "input buffer short": (BUFFER, "needs 96 bytes for its sizes and strides, its buffer has 95"),
    "input stride negative": (BUFFER, "the negative stride -8"),
    "input stride far": (BUFFER, "needs more bytes than there are"),
    "output dtype": (DTYPE, "must be float32, got int32"),
    "output rank": (RANK, "must have 2 dimensions"),
    "output size": (SIZE, "got [3, 3]"),
    "output sizes disagree": (SIZE, "is 3 as in input 0 'x', got [2, 4]"),
    "output data null": (ARGUMENT, "has no elements: the pointer is null"),
    "output buffer short": (BUFFER, "needs 48 bytes"),
    "output of None": (DTYPE, "its buffer was said to be float32"),
    "model null": (ARGUMENT, "the model is null"),
    "inputs null": (ARGUMENT, "the array of inputs is null"),
    "outputs null": (ARGUMENT, "the array of outputs is null"),
    "inputs missing": (ARGUMENT, "takes 4 inputs, got 3"),
    "outputs missing": (ARGUMENT, "gives 9 outputs, got buffers for 1"),
    "results null": (ARGUMENT, "no place for the results"),
    "results of null": (ARGUMENT, "the model is null"),
    "get of null": (ARGUMENT, "the results are null"),
    "input of null": (ARGUMENT, "the model is null"),
    "input 4": (ARGUMENT, "no number 4: the model has 4"),
    "output 9": (ARGUMENT, "no number 9: the model has 9"),
    "info null": (ARGUMENT, "the pointer is null"),
    "info without size": (ARGUMENT, "struct_size is not set"),
    "describe null": (ARGUMENT, "the pointer is null"),
    "open null": (ARGUMENT, "the path is null"),
    "open utf8 null": (ARGUMENT, "the path is null"),
    "open nowhere": (ARGUMENT, "no place for the model"),
    "open empty": (ARGUMENT, "the path is empty"),
    "open no utf8": (ARGUMENT, "the path is no UTF-8"),
    "open missing": (NOT_FOUND, "there is no Z:\\there is no such folder"),
    "open empty folder": (NOT_FOUND, "holds no built model"),
    "options without size": (ARGUMENT, "struct_size is not set"),
    "two torch folders": (ARGUMENT, "are both set"),
    "another torch": (TORCH, "this process has loaded"),
    "too many runners": (ARGUMENT, "num_runners is above 4096"),
}


@pytest.fixture(scope="session")
def misused(sdk: Sdk, c_host: Path) -> list[list[str]]:
    return sdk.lines(c_host, "errors", sdk.various, sdk.named_torch)


@pytest.mark.parametrize("case", ERRORS)
def test_a_wrong_call_is_an_error_that_says_what_is_wrong(
    misused: list[list[str]], sdk: Sdk, case: str
) -> None:
    code, fragment = ERRORS[case]
    if (sdk.runtime, case) == ("own", "another torch"):
        # Such a model asks for none: what is said of torch is not looked at.
        code, fragment = OK, ""
    (line,) = (line for line in misused if line[0] == case)
    assert int(line[1]) == code
    assert fragment in line[2]


def test_after_all_wrong_calls_a_right_one_works(misused: list[list[str]]) -> None:
    assert misused[-5:] == [
        ["model after errors", "0", ""],
        ["right", "0", ""],
        # Of the wrong calls, only the one with a buffer for None could not be known to be wrong
        # before the model ran: wrong calls do not change what the model keeps.
        ["calls", "2", ""],
        ["right", "0", ""],
        ["calls", "3", ""],
    ]


def opened(
    sdk: Sdk, host: Path, model: Path, torch_folder: Path | str, *more: str, **options: Path
) -> tuple[int, str]:
    ((_, code, message),) = sdk.lines(host, "open", model, torch_folder, *more, **options)
    return int(code), message


# --- torch's DLLs -----------------------------------------------------------------------------


def test_torch_is_found_neither_in_the_current_folder_nor_on_path(
    torch_sdk: Sdk, c_host: Path
) -> None:
    code, message = opened(torch_sdk, c_host, torch_sdk.various, "-", cwd=torch_sdk.torch)
    assert code == TORCH
    folder = torch_sdk.windows.path(c_host.parent)
    assert message == (
        f"there is no torch_cpu.dll in {folder}\\, the program's folder, "
        "and no other folder was named for torch's DLLs"
    )


def test_torch_is_found_beside_the_program(torch_sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    folder = linked(torch_sdk.torch, tmp_path / "program")
    linked(c_host.parent, folder)
    assert opened(torch_sdk, folder / c_host.name, torch_sdk.various, "-") == (OK, "")


def test_a_folder_without_torch_is_named(torch_sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    code, message = opened(torch_sdk, c_host, torch_sdk.various, tmp_path)
    assert code == TORCH
    assert message.startswith(f"there is no torch_cpu.dll in {torch_sdk.windows.path(tmp_path)}")


def test_what_torch_itself_lacks_is_named(torch_sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    folder = linked(torch_sdk.torch, tmp_path / "torch", ["torch_cpu.dll", "uv.dll"])
    code, message = opened(torch_sdk, c_host, torch_sdk.various, folder)
    assert code == TORCH
    assert "c10.dll, libiomp5md.dll" in message


def test_a_model_of_another_torch_is_refused(torch_sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    model = patched(
        torch_sdk.various,
        tmp_path / "m",
        "various.dll",
        {b"2.13.0\0": b"2.12.0\0", b" 2.13.0 ": b" 2.12.0 "},
    )
    code, message = opened(torch_sdk, c_host, model, torch_sdk.torch)
    assert code == TORCH
    assert "was compiled for torch 2.12.0" in message and message.endswith("is torch 2.13.0")


# --- model folders ----------------------------------------------------------------------------


def test_a_missing_blob_is_named(sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    names = [path.name for path in sdk.various.iterdir() if path.suffix != ".blob"]
    model = linked(sdk.various, tmp_path / "model", names)
    blob = sdk.windows.path(model / "various_weights.blob")
    assert opened(sdk, c_host, model, sdk.named_torch) == (
        WEIGHTS,
        f"there is no weights file {blob}",
    )


def test_a_damaged_blob_is_refused(sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(sdk.various, tmp_path / "model"))
    with (model / "various_weights.blob").open("ab") as file:
        file.write(b"\0")
    code, message = opened(sdk, c_host, model, sdk.named_torch)
    assert code == WEIGHTS
    assert "is not the one this model was built with" in message


@pytest.mark.parametrize("spelling", ["wide", "utf8"])
def test_folders_of_any_name_and_length_are_opened(
    sdk: Sdk, c_host: Path, tmp_path: Path, spelling: str
) -> None:
    model = tmp_path / "Prög ファイル" / ("d" * 120) / ("e" * 120) / "model"
    shutil.copytree(sdk.various, model)
    folders = [linked(folder, tmp_path / "Törch 本") for folder in sdk.torch_words]
    assert opened(sdk, c_host, model, *(folders or ["-"]), spelling) == (OK, "")


def test_a_relative_folder_is_taken_from_the_current_one(sdk: Sdk, c_host: Path) -> None:
    relative = f"..\\{sdk.various.parent.name}\\various"
    ((_, code, message),) = sdk.lines(
        c_host, "open", relative, sdk.named_torch, cwd=sdk.various.parent
    )
    assert (code, message) == ("0", "")


def test_a_dll_can_be_opened_by_its_own_path(sdk: Sdk, c_host: Path) -> None:
    assert opened(sdk, c_host, sdk.various / "various.dll", sdk.named_torch) == (OK, "")


def test_a_model_may_lie_among_torchs_dlls(torch_sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    folder = linked(torch_sdk.torch, tmp_path / "all")
    linked(torch_sdk.various, folder)
    assert opened(torch_sdk, c_host, folder, folder) == (OK, "")


def test_of_several_models_in_a_folder_one_must_be_named(
    sdk: Sdk, c_host: Path, tmp_path: Path
) -> None:
    folder = linked(sdk.various, tmp_path / "both")
    linked(sdk.determinant, folder, ["determinant.dll", "determinant_weights.blob"])
    code, message = opened(sdk, c_host, folder, sdk.named_torch)
    assert code == NOT_FOUND
    assert "holds several models (determinant, various)" in message
    assert opened(sdk, c_host, folder / "various.dll", sdk.named_torch) == (OK, "")


def test_the_dll_that_fits_the_cpu_is_chosen(sdk: Sdk, c_host: Path, tmp_path: Path) -> None:
    future = {b"x86-64-v3\0": b"x86-64-v9\0"}
    model = patched(sdk.various, tmp_path / "model", "various.dll", future)
    code, message = opened(sdk, c_host, model, sdk.named_torch)
    assert code == CPU
    assert "CPUs of the level x86-64-v9" in message
    shutil.copyfile(sdk.various / "various.dll", model / "various.x86-64-v3.dll")
    _, _, described, *_ = sdk.lines(c_host, "describe", model, sdk.named_torch)
    assert described[1].endswith("\\various.x86-64-v3.dll")


def test_operators_without_a_shim_are_named(sdk: Sdk, c_host: Path) -> None:
    code, message = opened(sdk, c_host, sdk.determinant, sdk.torch)
    assert code == UNSUPPORTED
    assert "aten::_linalg_det" in message


@pytest.mark.parametrize("what", ["a DLL of torch's", "text"])
def test_what_is_no_model_is_refused(sdk: Sdk, c_host: Path, tmp_path: Path, what: str) -> None:
    path = sdk.torch / "uv.dll"
    if what == "text":
        path = tmp_path / "model.dll"
        path.write_text("no DLL")
    code, message = opened(sdk, c_host, path, sdk.named_torch)
    assert code == MODEL
    assert ("has no AotwinDescribe" if what != "text" else "cannot be loaded") in message


# --- C++ --------------------------------------------------------------------------------------


def classified(value: float) -> list[float]:
    """What the classifier gives for [2, 64] of one value."""
    with torch.no_grad():
        return list(classifier_module()(torch.full((2, 64), value)).flatten().tolist())


def test_eight_threads_share_a_model(sdk: Sdk, cpp_host: Path) -> None:
    right, refused, last = sdk.lines(cpp_host, "threads", sdk.classifier, sdk.named_torch)
    assert right == ["right", "1600"]
    assert refused == ["refused", "1600"]
    assert floats(last[1]) == pytest.approx(classified(7 / 8), abs=1e-5)


def test_of_two_models_one_can_be_closed_and_the_other_run(
    sdk: Sdk, cpp_host: Path, models: Mapping[str, ModelDll]
) -> None:
    other_model = models["plain"].dll.parent
    first, thread, other = sdk.lines(cpp_host, "two", sdk.classifier, other_model, sdk.torch)
    assert floats(first[1]) == pytest.approx(classified(1.0), abs=1e-5)
    assert floats(thread[1]) == floats(other[1]) == [1, 1, 2, 3, 1, 1, 2, 3]


def test_the_cpp_layer_throws_its_errors(sdk: Sdk, cpp_host: Path) -> None:
    lines = sdk.lines(cpp_host, "layer", sdk.classifier, sdk.named_torch)
    found = {line[0]: line[1:] for line in lines if line[0] != "y"}
    assert {name: int(line[0]) for name, line in found.items()} == {
        "strides": ARGUMENT, "type": DTYPE, "index": ARGUMENT, "missing": NOT_FOUND,
        "moved": OK, "moved from": ARGUMENT,
    }  # fmt: skip
    assert found["type"][1] == "the result's elements are float32"


# --- what is shipped --------------------------------------------------------------------------


def test_the_library_exports_its_api_and_the_shims_and_imports_windows_alone(
    sdk: Sdk,
) -> None:
    header = (sdk.directory / "include" / "aotwin.h").read_text(encoding="utf-8")
    declared = re.findall(r"^AOTWIN_API [^;(]*?(aotwin_\w+)\(", header, re.MULTILINE)
    library = sdk.directory / "bin" / "aotwin.dll"
    assert set(declared).isdisjoint(run_time_functions())
    assert exported_names(library) == sorted({*declared, *run_time_functions()})
    for program in (library, library.with_name("aotwin-run.exe")):
        facts = read_with("lief", program.read_bytes())
        assert isinstance(facts, PeFacts)
        others = {
            each.dll.lower()
            for each in facts.imports
            if not each.dll.lower().startswith(("api-ms-win-", "kernel32.dll", "aotwin.dll"))
        }
        assert not others


@pytest.mark.parametrize("source", ["example.c", "example.cpp"])
def test_the_examples_run_with_any_model(sdk: Sdk, tmp_path: Path, source: str) -> None:
    program = sdk.compile(sdk.directory / "share/aotwin/examples" / source, tmp_path)
    done = sdk.run(program, sdk.various, *sdk.torch_words)
    assert done.returncode == 0, done.stderr
    assert (", without torch" in done.stdout) == (sdk.runtime == "own")
    with torch.no_grad():
        y = various_module().linear(torch.ones(8))[0].item()
    found = re.search(r"result 0:.* is (\S+)", done.stdout)
    assert found and float(found[1]) == pytest.approx(y, abs=1e-5)
    refused = sdk.run(program, tmp_path, *sdk.torch_words)
    assert refused.returncode == 1
    assert "holds no built model" in refused.stderr


def test_the_example_of_a_report_runs(own_sdk: Sdk, tmp_path: Path) -> None:
    write_report(own_sdk.various, tmp_path / "report.html")
    source = tmp_path / "example.c"
    source.write_text(examples_of(tmp_path / "report.html")["C"], encoding="utf-8")
    done = own_sdk.run(own_sdk.compile(source, tmp_path), own_sdk.various)
    assert done.returncode == 0, done.stderr
    assert "result 0: 32 bytes" in done.stdout


@pytest.mark.parametrize(
    ("document", "language", "suffix"),
    [("use-from-c.md", "c", ".c"), ("use-from-cpp.md", "cpp", ".cpp")],
    ids=["C", "C++"],
)
def test_the_programs_of_the_how_tos_run(
    sdk: Sdk, tmp_path: Path, document: str, language: str, suffix: str
) -> None:
    text = (REPO / "docs" / "how-to" / document).read_text(encoding="utf-8")
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    source = tmp_path / f"program{suffix}"
    source.write_text(code, encoding="utf-8")
    program = sdk.compile(source, tmp_path)
    done = sdk.run(program, sdk.classifier, *sdk.torch_words)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        expected = classifier_module()(torch.zeros(64)).tolist()
    assert floats(done.stdout.splitlines()[0]) == pytest.approx(expected, rel=1e-4)
    refused = sdk.run(program, sdk.various, *sdk.torch_words)
    assert refused.returncode == 1
    assert "the model takes 4 inputs, got 1" in refused.stderr
