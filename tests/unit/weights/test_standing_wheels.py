"""A wheel that is there as it would be written: nothing is read or written for it again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from aotwin.adapters.archives.draft import Draft
from aotwin.adapters.archives.members import Member
from aotwin.adapters.archives.standing_wheel import standing_wheel
from aotwin.adapters.archives.wheel_zip import write_wheel
from aotwin.blobs import Blobs
from aotwin.errors import CheckError, WrapperError
from aotwin.model_spec import ModelSpec
from aotwin.progress import Progress
from aotwin.reproducible import DEFAULT_EPOCH

INFO = "demo-1.0.dist-info"
WEIGHTS = {"demo.one": bytes(range(64)) * 3, "demo.two": bytes(640)}
DLL = b"MZ dll"


@dataclass
class Source:
    """Weights that lie in a file of the user's, which is known by `identity`."""

    name: str
    content: bytes
    identity: str
    reads: list[str]

    @property
    def nbytes(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterator[memoryview]:
        self.reads.append(self.name)
        yield memoryview(self.content)


@dataclass
class Built:
    """What a build came to."""

    wheel: Path
    #: models whose weights were read
    read: list[str]
    #: whether the wheel of the build before was left as it is
    stood: bool
    sha256: str


def build(
    folder: Path,
    weights: Mapping[str, bytes] = WEIGHTS,
    dll: bytes = DLL,
    epoch: int = DEFAULT_EPOCH,
    executable: bool = False,
    identities: Mapping[str, str] | None = None,
) -> Built:
    wheel, path = folder / "demo.whl", folder / "draft"
    draft = Draft(path.open("w+b"), path, epoch, wheel=wheel, standing=standing_wheel(wheel))
    blobs = Blobs(Progress(quiet=True), draft)
    read: list[str] = []
    for name, content in weights.items():
        identity = (identities or {}).get(name, name + hashlib.sha256(content).hexdigest())
        source = Source(name, content, identity, read)
        blobs.take(ModelSpec(name, "m:program", None, ("x86-64-v3",)), folder / name, source)
    sealed = hashlib.sha256(DLL).hexdigest() if dll == DLL else None
    members = [
        Member.from_bytes(f"{INFO}/WHEEL", b"Wheel-Version: 1.0\n"),
        Member("demo/one/one.dll", Member.from_bytes("", dll).open, len(dll), True, executable),
        Member.from_bytes("demo/two/two.dll", DLL, stored=True, sha256=sealed),
    ]
    try:
        write_wheel(wheel, members, dist_info=INFO, epoch=epoch, draft=draft)
        sha256 = draft.leave()
    finally:
        draft.close()
        path.unlink(missing_ok=True)
    return Built(wheel, read, draft.stood, sha256)


def status(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


def clean(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> bytes:
    """The wheel of a build that knows of no other."""
    folder.mkdir()
    with monkeypatch.context() as context:
        context.setenv("AOTWIN_NO_CACHE", "1")
        return build(folder, **changes).wheel.read_bytes()  # type: ignore[arg-type]


def test_an_unchanged_build_leaves_the_wheel_that_is_there(tmp_path: Path) -> None:
    first = build(tmp_path)
    before, content = status(first.wheel), first.wheel.read_bytes()
    again = build(tmp_path)
    assert (first.read, again.read) == (["demo.one", "demo.two"], [])
    assert (first.stood, again.stood) == (False, True)
    assert first.sha256 == again.sha256 == hashlib.sha256(content).hexdigest()
    assert (status(again.wheel), again.wheel.read_bytes()) == (before, content)
    assert [*tmp_path.iterdir()] == [first.wheel]


@pytest.mark.parametrize(
    "changes",
    [
        {"dll": b"MZ other"},
        {"epoch": DEFAULT_EPOCH + 2},
        {"executable": True},
        {"weights": {"demo.one": WEIGHTS["demo.one"], "demo.two": bytes(704)}},
        {"weights": {"demo.one": WEIGHTS["demo.one"][::-1], "demo.two": WEIGHTS["demo.two"]}},
        {"weights": {"demo.one": WEIGHTS["demo.one"]}},
        {"weights": dict(reversed(WEIGHTS.items()))},
        {"weights": {**WEIGHTS, "demo.three": bytes(64)}},
    ],
    ids=["dll", "time", "mode", "last weights", "first weights", "fewer", "order", "more"],
)
def test_whatever_changed_the_wheel_is_that_of_a_clean_build(
    changes: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    build(place)
    changed = build(place, **changes)  # type: ignore[arg-type]
    assert not changed.stood
    assert changed.wheel.read_bytes() == clean(tmp_path / "clean", monkeypatch, **changes)
    assert build(place, **changes).stood  # type: ignore[arg-type]


def test_a_wheel_that_was_touched_is_written_again(tmp_path: Path) -> None:
    first = build(tmp_path)
    content = first.wheel.read_bytes()
    with first.wheel.open("r+b") as file:
        file.write(b"X")
    # Whoever wants to hide it can set back the time of the last change, and no other.
    os.utime(first.wheel, ns=(first.wheel.stat().st_atime_ns, status(first.wheel)[1]))
    again = build(tmp_path)
    assert (again.stood, again.wheel.read_bytes()) == (False, content)
    assert again.read == ["demo.one", "demo.two"]


def test_a_wheel_that_is_gone_is_written_again(tmp_path: Path) -> None:
    first = build(tmp_path)
    content = first.wheel.read_bytes()
    first.wheel.unlink()
    again = build(tmp_path)
    assert (again.stood, again.wheel.read_bytes()) == (False, content)


def test_a_sealed_file_is_checked_in_a_wheel_that_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = build(tmp_path).wheel.read_bytes()

    def damaged(*_: object) -> None:
        raise CheckError("damaged", cause="by the disk", next_step="Buy another.")

    with monkeypatch.context() as context:
        context.setattr("aotwin.adapters.archives.wheel_zip._check_digests", damaged)
        with pytest.raises(CheckError, match="damaged"):
            # Not taken as it stands, and what is written then is checked, too.
            build(tmp_path)
    assert (tmp_path / "demo.whl").read_bytes() == content


def test_weights_that_are_not_what_they_were_said_to_be(tmp_path: Path) -> None:
    known = {"demo.one": "demo.one same"}
    wheel = build(tmp_path, identities=known).wheel
    content = wheel.read_bytes()
    other = {**WEIGHTS, "demo.one": bytes(192)}
    with pytest.raises(WrapperError, match="changed while they were written"):
        build(tmp_path, other, dll=b"MZ other", identities=known)
    assert wheel.read_bytes() == content
    other_now = build(tmp_path, other, dll=b"MZ other", identities=known)
    assert not other_now.stood
