"""The weights of a build's models: written once, in the wheel or in a model's folder."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aotwin.adapters.archives.draft import Draft
from aotwin.blobs import Blobs
from aotwin.model_spec import ModelSpec
from aotwin.progress import Progress
from aotwin.stages.weights import trailer
from aotwin.values import BlobInfo

DATA = bytes(range(64)) * 3


@dataclass
class Source:
    content: bytes
    identity: str = ""

    @property
    def nbytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[memoryview]:
        for start in range(0, len(self.content), 100):
            yield memoryview(self.content)[start : start + 100]


def spec(name: str) -> ModelSpec:
    return ModelSpec(name, "m:program", None, ("x86-64-v3",))


def whole(content: bytes) -> bytes:
    return content + trailer(len(content), hashlib.sha256(content).digest())


@dataclass
class Build:
    """The models of a build, each with its weights, taken one after the other."""

    blobs: Blobs
    folder: Path
    said: io.StringIO

    def take(self, name: str, content: bytes) -> BlobInfo:
        directory = self.folder.joinpath(*name.split("."))
        directory.mkdir(parents=True)
        return self.blobs.take(spec(name), directory, Source(content))


@pytest.fixture(params=["in the wheel", "in folders"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Build]:
    said = io.StringIO()
    if request.param == "in folders":
        yield Build(Blobs(Progress(said)), tmp_path, said)
        return
    path = tmp_path / "wheel"
    draft = Draft(path.open("x+b"), path, 315532800)
    yield Build(Blobs(Progress(said), draft), tmp_path, said)
    draft.close()


def stored(build: Build) -> dict[str, bytes]:
    """The blobs that were written, by their names in the wheel."""
    if build.blobs.draft is None:
        paths = build.folder.rglob("*.blob")
        return {str(path.relative_to(build.folder)): path.read_bytes() for path in paths}
    assert not list(build.folder.rglob("*.blob"))
    build.blobs.draft.close()
    archive = zipfile.ZipFile(build.folder / "wheel")
    return {name: archive.read(name) for name in archive.namelist()}


def test_each_model_has_its_weights(build: Build) -> None:
    first, second = build.take("demo.one", DATA), build.take("demo.two", bytes(192))
    assert (first.reference, second.reference) == ("one_weights.blob", "two_weights.blob")
    assert first.digest == hashlib.sha256(DATA).digest()
    assert first.file_sha256 == hashlib.sha256(whole(DATA)).hexdigest()
    assert stored(build) == {
        "demo/one/one_weights.blob": whole(DATA),
        "demo/two/two_weights.blob": whole(bytes(192)),
    }


def test_models_with_the_same_weights_have_those_of_the_first(build: Build) -> None:
    first = build.take("demo.one", DATA)
    build.take("demo.other", DATA[::-1])
    second = build.take("demo.steps.two", DATA)
    assert second.shared_from == second.reference == "../../one/one_weights.blob"
    assert (second.digest, second.file_sha256) == (first.digest, first.file_sha256)
    assert "demo.steps.two has the same weights as demo.one: 192 bytes are" in build.said.getvalue()
    assert [*stored(build)] == ["demo/one/one_weights.blob", "demo/other/other_weights.blob"]


def test_models_without_weights_share_none(build: Build) -> None:
    blobs = [build.take(name, b"") for name in ("demo.one", "demo.two")]
    assert [blob.shared_from for blob in blobs] == ["", ""]
    assert [*stored(build).values()] == [whole(bytes(64))] * 2
