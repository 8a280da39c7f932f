"""`check = "run"`: models are run when they are built, and prove themselves on Windows."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

import aotwin
from aotwin import cli
from aotwin.errors import CheckError, ConfigurationError
from aotwin.formats import verification
from aotwin.stages.generate import open_source
from aotwin.weights_source import MemoryRegion, MemoryWeights
from project_build import REPO, build_wheel
from windows_on_wine import WindowsPython

pytestmark = [pytest.mark.torch, pytest.mark.zig]

PROJECT = REPO / "tests" / "packages" / "proven"
WRAPPER = REPO / "tests" / "wrappers" / "2.13.0" / "counter"
PREBUILT = """\
[build-system]
requires = ["aotwin"]
build-backend = "aotwin.build_meta"

[project]
name = "packed"
version = "1.0"

[tool.setuptools]
packages = []

[tool.aotwin.models.counter]
prebuilt = "counter"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The wheel, and what the build said."""
    project = tmp_path_factory.mktemp("project") / "proven"
    shutil.copytree(PROJECT, project)
    return build_wheel(project)


@pytest.fixture
def site(built: tuple[Path, str], tmp_path: Path) -> Path:
    """What an installer makes of the wheel."""
    with zipfile.ZipFile(built[0]) as wheel:
        wheel.extractall(tmp_path / "site")
    return tmp_path / "site"


def manifest_of(site: Path, model: str) -> dict[str, Any]:
    path = site / "proven" / model / "aotwin.json"
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def outputs_of(proof: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Position -> what is expected, with what the first DLL was found to give."""
    found = next(iter(proof["dlls"].values()))["outputs"]
    return {
        row["position"]: row | figures for row, figures in zip(proof["outputs"], found, strict=True)
    }


def expect_another_result(folder: Path) -> None:
    """Let a package expect of its first result what the model does not give, and vouch for it."""
    with np.load(folder / "proof.npz") as file:
        arrays = dict(file)
    arrays["call1_result0"] = arrays["call1_result0"] + np.float32(0.01)
    np.savez_compressed(folder / "proof.npz", **arrays)
    manifest = json.loads((folder / "aotwin.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "proof.npz").read_bytes()).hexdigest()
    manifest["files"]["proof.npz"] = digest
    (folder / "aotwin.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_every_kind_of_result_is_compared_with_eager(site: Path) -> None:
    proof = manifest_of(site, "steps")["proof"]
    assert (proof["samples"], proof["source"]) == (3, "samples_of_steps:calls")
    assert set(proof["versions"]) == {"aotwin", "torch", "numpy", "wine"}
    outputs = outputs_of(proof)
    # None is a constant of the manifest.
    assert [*outputs] == [0, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert outputs[0]["shapes"] == [[4, 5], [2, 5], [7, 5]]
    assert {row["dtype"] for row in outputs.values()} == {
        "float32", "int64", "bool", "bfloat16", "float16", "complex64",
    }  # fmt: skip
    assert all(row["compared"] == "values" for row in outputs.values())
    assert all(sum(row["histogram"].values()) == row["elements"] for row in outputs.values())
    assert outputs[0]["max_abs"] <= outputs[0]["atol"] + outputs[0]["rtol"] * 100


def test_a_wheel_with_its_proof_passes_the_check(built: tuple[Path, str]) -> None:
    report = aotwin.check(built[0], full=True)
    assert report, report.to_text()


def test_a_result_of_random_numbers_is_compared_by_its_form(
    built: tuple[Path, str], site: Path
) -> None:
    random, same = manifest_of(site, "noisy")["proof"]["outputs"]
    assert (random["compared"], same["compared"]) == ("form", "values")
    assert "depends on random numbers, so dtype and shape alone were compared" in built[1]


def test_a_package_proves_itself_without_torch(site: Path, without_torch: WindowsPython) -> None:
    done = without_torch.python(["-m", "proven.steps", "--verify"], pythonpath=[site])
    assert done.stdout.splitlines()[-1] == "proven.steps: proven with 3 samples"
    assert done.stdout.count("steps.dll ") == len(manifest_of(site, "steps")["proof"]["outputs"])


def test_a_package_over_torch_proves_itself(site: Path, windows: WindowsPython) -> None:
    done = windows.python(["-m", "proven.noisy", "--verify"], pythonpath=[site])
    assert done.stdout.splitlines()[-1] == "proven.noisy: proven with 1 sample"


def test_a_package_says_where_its_model_gives_something_else(
    site: Path, without_torch: WindowsPython
) -> None:
    expect_another_result(site / "proven" / "steps")
    done = without_torch.python(["-m", "proven.steps", "--verify"], pythonpath=[site], check=False)
    assert done.returncode == 1
    assert "of sample 1: 10 of 10 elements differ by more than is allowed" in done.stdout
    assert "proven.steps: not proven" in done.stdout


def test_a_package_does_not_judge_by_a_file_that_was_changed(
    site: Path, without_torch: WindowsPython
) -> None:
    with (site / "proven" / "steps" / "proof.npz").open("ab") as file:
        file.write(b"\0")
    done = without_torch.python(["-m", "proven.steps", "--verify"], pythonpath=[site], check=False)
    assert done.returncode == 1
    assert "is not the one that was built" in done.stderr


def test_a_wheel_is_proven_again_on_linux(
    built: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", str(built[0])]) == 0
    said = capsys.readouterr().out
    assert "proven.noisy: proven with 1 sample" in said
    assert "proven.steps: proven with 3 samples" in said


def test_verify_tells_it_as_json(
    built: tuple[Path, str], site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = Path(verification.__file__).with_name("verification.schema.json")
    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    assert cli.main(["verify", "--json", str(built[0])]) == 0
    told = json.loads(capsys.readouterr().out)
    validator.validate(told)
    assert {model["name"]: model["samples"] for model in told["models"]} == {
        "proven.noisy": 1,
        "proven.steps": 3,
    }
    assert told["passed"]
    home = site / "proven" / "steps"
    expect_another_result(home)
    assert cli.main(["verify", "--json", str(home)]) == 1
    told = json.loads(capsys.readouterr().out)
    validator.validate(told)
    dll = told["models"][0]["dlls"][0]
    assert (dll["file"], dll["cpu"], dll["status"]) == ("steps.dll", "x86-64-v3", "failed")
    assert "10 of 10 elements differ by more than is allowed" in dll["reason"]
    assert dll["outputs"][0]["max_abs"] > 0.009


def test_verify_fails_where_a_model_gives_something_else(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expect_another_result(site / "proven" / "steps")
    assert cli.main(["verify", str(site / "proven" / "steps")]) == 1
    assert (
        "of sample 1: 10 of 10 elements differ by more than is allowed" in capsys.readouterr().out
    )


def test_verify_needs_no_wine_on_windows(site: Path, without_torch: WindowsPython) -> None:
    done = without_torch.python(
        ["-m", "aotwin", "verify", site / "proven" / "steps"], pythonpath=[REPO / "plugin"]
    )
    assert done.stdout.splitlines()[-1] == "proven.steps: proven with 3 samples"


class Broken:
    """A generator whose wrapper or weights are changed before they are used."""

    def __init__(self, generator: Any, change: Callable[[Any, Any], tuple[Any, Any]]) -> None:
        self._generator = generator
        self._change = change
        self.torch_version = generator.torch_version
        self.samples = generator.samples

    def generate(self, cpu: Any, *, over_torch: bool = False) -> tuple[Any, Any]:
        return self._change(*self._generator.generate(cpu, over_torch=over_torch))


def other_kernel(wrapper: Any, weights: Any) -> tuple[Any, Any]:
    """GELU's square root of a half is a thousandth off: 10,000 steps of a float32."""
    changed = wrapper.source.replace("0.7071067811865476", "0.7079136")
    assert changed != wrapper.source
    return replace(wrapper, source=changed), weights


def other_weight(wrapper: Any, weights: MemoryWeights) -> tuple[Any, Any]:
    """One element of one constant is 10,000 steps off."""
    place = next(c.offset for c in wrapper.constants if c.fqn == "layer.weight")
    content = bytearray(b"".join(bytes(chunk) for chunk in weights.chunks()))
    elements = np.frombuffer(content, np.int32, 30, place)
    elements[11] += 10_000
    held = np.frombuffer(content, np.uint8)
    return wrapper, MemoryWeights(
        [MemoryRegion(held.ctypes.data, len(content), len(content))], [held]
    )


@pytest.mark.parametrize("change", [other_kernel, other_weight])
def test_a_model_that_computes_something_else_is_not_built(
    change: Callable[[Any, Any], tuple[Any, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PROJECT)
    import export_models

    monkeypatch.setattr(
        "aotwin.pipeline.model.open_source", lambda *args: Broken(open_source(*args), change)
    )
    with pytest.raises(CheckError) as caught:
        aotwin.build_model(export_models.steps(), tmp_path, name="steps", check="run")
    assert (
        "steps.dll, for x86-64-v3, does not give under Wine what is expected" in caught.value.fact
    )
    assert "elements differ by more than is allowed" in caught.value.cause
    assert "found" in caught.value.cause and "at index [" in caught.value.cause
    assert not any(tmp_path.iterdir())


def test_a_model_that_was_built_elsewhere_is_proven_again(tmp_path: Path) -> None:
    """The first build proves it, the second one packs it."""
    made = aotwin.build_model(
        WRAPPER, tmp_path / "project", name="counter", check="run", proof=WRAPPER / "samples.npz"
    )
    (tmp_path / "project" / "pyproject.toml").write_text(PREBUILT)
    wheel, said = build_wheel(tmp_path / "project", "check=run")
    assert "run counter under Wine" in said
    expect_another_result(made.directory)
    shutil.rmtree(wheel.parent)
    with pytest.raises(AssertionError, match="does not give here what it gave there"):
        build_wheel(tmp_path / "project", "check=run")


def test_a_ready_wrapper_is_proven_with_an_archive(tmp_path: Path) -> None:
    built = aotwin.build_model(
        WRAPPER, tmp_path, name="counter", check="run", proof=WRAPPER / "samples.npz"
    )
    proof = json.loads(built.manifest.read_text(encoding="utf-8"))["proof"]
    assert (proof["status"], proof["source"]) == ("proven", "samples.npz")
    assert proof["outputs"][0]["shapes"] == [[4, 3], [7, 3], [2, 3]]


def test_a_ready_wrapper_without_samples_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="counter has no samples to prove it with"):
        aotwin.build_model(WRAPPER, tmp_path, name="counter", check="run")
    assert not any(tmp_path.iterdir())
