"""The shared cache over real sockets: whatever the store does, a build gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from build_place import SHARED

from aotwin import build_model
from aotwin.adapters.storage import shared_results
from aotwin.adapters.storage.results import key_of, recall, remember, remembered
from aotwin.adapters.storage.seals import opened, sealed
from aotwin.adapters.storage.shared_results import settle
from aotwin.progress import Progress
from store_server import Store, serving

#: what aiohttp has to say of fsspec's way of sending
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")

LinkedCache = Callable[..., Path]
KEY = key_of("a key")
SECRET = "of the builds of one team: " + "0123456789" * 2
#: what is wrong with a store -> what a build says of it
READING = {
    "lies": "1 result of the shared cache not taken: damaged; made here",
    "truncates": "1 result of the shared cache not taken: damaged; made here",
    "cuts": "the shared cache was left alone: ",
    "endless": "the shared cache was left alone: TimeoutError: no answer within 1 s",
    "drips": "the shared cache was left alone: TimeoutError: no answer within 1 s",
    "hangs": "the shared cache was left alone: TimeoutError: no answer within 1 s",
    "fails": "the shared cache was left alone: ",
    "gone": "the shared cache was left alone: ",
}


@pytest.fixture(scope="module", params=["http", "s3"])
def server(request: pytest.FixtureRequest) -> Iterator[Store]:
    with serving(request.param) as store:
        yield store


@pytest.fixture
def store(server: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that this process shares its results with."""
    for name in list(os.environ):
        if name.startswith(("AOTWIN_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(shared_results, "MAX_NBYTES", 8 << 20)
    server.reset()
    reach(server, monkeypatch)
    on_machine(tmp_path / "first", monkeypatch)
    yield server
    server.released.set()
    shared_results._known.cache_clear()


def reach(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a user sets."""
    if store.protocol == "http":
        monkeypatch.setenv("AOTWIN_CACHE_URL", f"{store.address}/bucket/aotwin")
        return
    monkeypatch.setenv("AOTWIN_CACHE_URL", "s3://bucket/aotwin")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a password")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def on_machine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on with another cache, in what may be another process; connections stay."""
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(cache))
    shared_results._known.cache_clear()


def path_of(kind: str, key: str) -> str:
    return f"/bucket/aotwin/{kind}/{key}"


def unwell(store: Store, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store that was well so far be unwell.

    It has a second for each answer from here on, unless it gives one.
    """
    assert recall("objects", key_of("whatever")) is None
    assert settle() == []
    if wrong not in ("", "lies", "truncates"):
        monkeypatch.setattr(shared_results, "PATIENCE", 1.0)
    if wrong == "gone":
        store.left = 0
    else:
        store.wrong = wrong


def test_what_one_machine_made_another_finds_with_one_request(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 20_000
    assert remembered("objects", KEY, lambda: content) == content
    assert settle() == []
    assert store.requests == [("GET", path_of("objects", KEY)), ("PUT", path_of("objects", KEY))]
    on_machine(tmp_path / "second", monkeypatch)
    assert recall("objects", KEY) == content
    assert recall("dlls", KEY) is None
    assert store.requests[2:] == [("GET", path_of("objects", KEY)), ("GET", path_of("dlls", KEY))]
    assert settle() == []


def test_digests_of_this_machine_s_files_are_not_sent(store: Store) -> None:
    remember("digests", KEY, b"0" * 64)
    assert recall("digests", key_of("other")) is None
    assert settle() == [] and store.requests == []


@pytest.mark.parametrize(("wrong", "said"), READING.items(), ids=READING)
def test_a_store_that_is_unwell_is_told_of_in_one_line_and_spoils_nothing(
    wrong: str, said: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("objects", KEY, b"content" * 1000)
    settle()
    on_machine(tmp_path / "second", monkeypatch)
    unwell(store, wrong, monkeypatch)
    assert remembered("objects", KEY, lambda: b"made") == b"made"
    asked = len(store.requests)
    (line,) = settle() or [""]
    if wrong == "endless" and store.protocol == "http":
        said = ""  # It is read as far as a result may be long.
    assert line.startswith(said) and bool(line) == bool(said)
    assert "\n" not in line
    if "left alone" in said:
        assert recall("objects", key_of("another")) is None
        assert len(store.requests) == asked, "it is asked no more"
    assert recall("objects", KEY) == b"made"


def test_what_was_damaged_in_the_store_is_replaced(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("objects", KEY, b"content")
    settle()
    whole = store.files[path_of("objects", KEY)]
    for damaged in (b"\n", whole[:40], whole[:-1], whole.replace(b"content", b"another")):
        store.files[path_of("objects", KEY)] = damaged
        on_machine(tmp_path / hashlib.sha256(damaged).hexdigest()[:8], monkeypatch)
        assert remembered("objects", KEY, lambda: b"content") == b"content"
        assert len(settle()) == 1
        assert store.files[path_of("objects", KEY)] == whole


def test_a_store_that_nobody_runs_is_told_of_in_one_line(
    server: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    with serving(server.protocol) as store:
        reach(store, monkeypatch)
    on_machine(tmp_path / "first", monkeypatch)
    files = fsspec.get_filesystem_class(server.protocol)
    try:
        files.clear_instance_cache()
        assert remembered("objects", KEY, lambda: b"made") == b"made"
        (said,) = settle()
        assert said.startswith("the shared cache was left alone: ") and "\n" not in said
        assert recall("objects", KEY) == b"made"
    finally:
        shared_results._known.cache_clear()
        files.clear_instance_cache()


@pytest.mark.parametrize("wrong", ["refuses", "read-only"])
def test_a_store_that_takes_nothing_is_still_read(
    wrong: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember("objects", KEY, b"content")
    settle()
    on_machine(tmp_path / "second", monkeypatch)
    unwell(store, wrong, monkeypatch)
    for number in range(3):
        remember("dlls", key_of(str(number)), b"made")
    (said,) = settle()
    assert said.startswith("the shared cache takes no results: ")
    monkeypatch.setattr(shared_results, "PATIENCE", 10.0)
    assert recall("objects", KEY) == b"content"
    assert settle() == [], "it is told once"
    assert not [path for path in store.files if "dlls" in path]


def test_nothing_is_sent_where_the_store_may_only_be_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_READ_ONLY", "1")
    assert remembered("objects", KEY, lambda: b"made") == b"made"
    assert settle() == []
    assert [method for method, _ in store.requests] == ["GET"]


def test_a_store_that_disappears_between_two_requests_spoils_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("objects", "dlls"):
        remember(kind, KEY, kind.encode())
    settle()
    on_machine(tmp_path / "second", monkeypatch)
    unwell(store, "", monkeypatch)
    store.left = 1
    assert recall("objects", KEY) == b"objects"
    monkeypatch.setattr(shared_results, "PATIENCE", 1.0)
    assert remembered("dlls", KEY, lambda: b"linked") == b"linked"
    (said,) = settle()
    assert said.startswith("the shared cache was left alone: ")
    assert recall("objects", KEY) == b"objects"


def test_answers_that_bring_nothing_have_their_time_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_results, "MAX_WASTE", 0.0)
    for number in range(5):
        assert recall("objects", key_of(str(number))) is None
    assert len(store.requests) == 1
    (said,) = settle()
    assert said.endswith("waited for answers that brought nothing")


def test_what_is_far_too_large_is_not_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.files[path_of("objects", KEY)] = sealed(bytes(9 << 20), "objects", KEY)
    assert recall("objects", KEY) is None
    assert settle() == []


def test_only_what_is_signed_is_taken_where_there_is_a_secret(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_KEY", SECRET)
    remember("objects", KEY, b"content")
    settle()
    ours = store.files[path_of("objects", KEY)]
    assert SECRET.encode() not in ours
    on_machine(tmp_path / "second", monkeypatch)
    assert recall("objects", KEY) == b"content"
    assert settle() == []
    other = key_of("other")
    forged = {
        "whole, and not signed": sealed(b"poison", "objects", KEY),
        "with another secret": sealed(b"poison", "objects", KEY, b"x" * 40),
        "another content under our signature": ours.replace(b"content", b"poison!"),
        "another result that we signed": sealed(b"content", "objects", other, SECRET.encode()),
        "of another kind": sealed(b"content", "dlls", KEY, SECRET.encode()),
        "signed with nothing": sealed(b"poison", "objects", KEY, b" "),
    }
    for name, file in forged.items():
        store.files[path_of("objects", KEY)] = file
        on_machine(tmp_path / hashlib.sha256(name.encode()).hexdigest()[:8], monkeypatch)
        assert remembered("objects", KEY, lambda: b"content") == b"content", name
        (said,) = settle()
        assert said.startswith("1 result of the shared cache not taken: "), name
        assert store.files[path_of("objects", KEY)] == ours, "it is replaced by ours"


def test_what_is_signed_is_of_use_to_builds_that_know_no_secret(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOTWIN_CACHE_KEY", SECRET)
    remember("objects", KEY, b"content")
    settle()
    monkeypatch.delenv("AOTWIN_CACHE_KEY")
    on_machine(tmp_path / "second", monkeypatch)
    assert recall("objects", KEY) == b"content"
    assert settle() == []


@pytest.fixture(scope="session")
def first_build(
    ready_wrapper: Path, warm_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A cache of its own with all results of the ready wrapper, and beside it what was built."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        cache = folder / "cache"
        cache.mkdir()
        for kind in SHARED:
            (cache / kind).symlink_to(warm_cache / kind)
        patch.setenv("AOTWIN_CACHE_DIR", str(cache))
        patch.delenv("AOTWIN_NO_CACHE", raising=False)
        patch.delenv("AOTWIN_CACHE_URL", raising=False)
        build_model(ready_wrapper, folder / "out", name="demo.classifier")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def built(
    wrapper: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[Path, list[str]]:
    """A whole build of one model, and its warnings."""
    capsys.readouterr()
    build_model(wrapper, folder, name="demo.classifier", progress=Progress())
    said = capsys.readouterr().err
    return folder, [line for line in said.splitlines() if "warning" in line]


def with_objects(cache: Path, first_build: Path) -> Path:
    """A machine's cache that has the objects of the first build, so that it only links."""
    kept = first_build / "cache" / "results" / "objects"
    shutil.copytree(kept, cache / "results" / "objects")
    return cache


WHOLE_BUILDS = {name: said for name, said in READING.items() if name != "truncates"} | {
    "refuses": "",
    "": "",
}


@pytest.mark.zig
@pytest.mark.parametrize("server", ["http"], indirect=True)
@pytest.mark.parametrize(("wrong", "said"), WHOLE_BUILDS.items(), ids=lambda text: text[:10])
def test_a_build_beside_a_store_that_is_unwell_gives_the_same_bytes(
    wrong: str,
    said: str,
    store: Store,
    ready_wrapper: Path,
    first_build: Path,
    linked_cache: LinkedCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for path in first_build.joinpath("cache", "results", "dlls").iterdir():
        store.files[path_of("dlls", path.name)] = path.read_bytes()
    on_machine(with_objects(linked_cache("second", SHARED), first_build), monkeypatch)
    unwell(store, wrong, monkeypatch)
    if wrong == "endless" and store.protocol == "http":
        said = ""
    folder, warnings = built(ready_wrapper, tmp_path / "out", capsys)
    assert files_of(folder) == files_of(first_build / "out")
    assert len(warnings) == bool(said), warnings
    assert said in "".join(warnings)


@pytest.mark.zig
def test_who_writes_to_a_store_decides_unless_there_is_a_secret(
    store: Store,
    ready_wrapper: Path,
    first_build: Path,
    linked_cache: LinkedCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key is no proof of a content: with a digest of its own, poison is as good as any result."""
    (dll,) = first_build.joinpath("cache", "results", "dlls").iterdir()
    content = opened(dll.read_bytes(), "dlls", dll.name)
    assert content is not None
    poison = content.replace(b"AOTInductorModelContainerRun\0", b"AOTInductorModelContainerPwn\0")
    assert poison != content
    for secret in ("", SECRET):
        store.files[path_of("dlls", dll.name)] = sealed(poison, "dlls", dll.name)
        cache = with_objects(linked_cache(f"with {len(secret)}", SHARED), first_build)
        on_machine(cache, monkeypatch)
        monkeypatch.setenv("AOTWIN_CACHE_KEY", secret)
        if not secret:
            assert recall("dlls", dll.name) == poison
            continue
        folder, (warning,) = built(ready_wrapper, tmp_path / "out", capsys)
        assert "not taken: not signed with AOTWIN_CACHE_KEY" in warning
        assert files_of(folder) == files_of(first_build / "out")
