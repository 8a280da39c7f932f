"""zig's output is read, its cold build happens once, and a missing zig is named."""

from __future__ import annotations

import os
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from aotwin.adapters.tools.zig import WarmUp, Zig, failure, find_zig, first_error
from aotwin.errors import StorageError, ToolError

OUTPUTS = {
    "an error among warnings": (
        "model.cpp:1:2: warning: unused\nmodel.cpp:3:4: error: no type named 'x'\nmore: error: y\n",
        "model.cpp:3:4: error: no type named 'x'",
    ),
    "a fatal error": ("a.h:1:10: fatal error: 'b.h' file not found\n", None),
    "an error of the linker": ("error: lld-link: undefined symbol: f\n", None),
    "something else": ("\nwarming up\nthread 1 panic: oh\n\n", "thread 1 panic: oh"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("output", "expected"), OUTPUTS.values(), ids=OUTPUTS)
def test_the_first_error_is_found_in(output: str, expected: str | None) -> None:
    assert first_error(output) == (output.strip() if expected is None else expected)


def test_a_failed_call_shows_the_first_error(tmp_path: Path) -> None:
    error = failure(1, "a.cpp:1:1: error: e\n", doing="linking a.dll", free={tmp_path: 1})
    assert isinstance(error, ToolError)
    assert (error.fact, error.cause) == ("zig failed while linking a.dll", "a.cpp:1:1: error: e")


@pytest.mark.parametrize(
    ("code", "output", "free"),
    [
        pytest.param(1, "error: unable to write: NoSpaceLeft\n", 1 << 40, id="zig says so"),
        pytest.param(-6, "", 4096, id="the linker died without a word and there is no room"),
    ],
)
def test_a_full_disk_is_told_from_a_failure(code: int, output: str, free: int) -> None:
    folders = {Path("/project"): 1 << 50, Path("/cache"): free}
    error = failure(code, output, doing="linking a.dll", free=folders)
    assert isinstance(error, StorageError)
    assert error.fact == "the disk is full: zig failed while linking a.dll"
    assert "/cache" in error.cause


def test_a_death_without_a_word_is_no_full_disk_where_there_is_room(tmp_path: Path) -> None:
    error = failure(-11, "", doing="linking a.dll", free={tmp_path: 1 << 40})
    assert isinstance(error, ToolError)
    assert error.cause == "it was ended by signal 11"


@pytest.fixture
def fake(tmp_path: Path) -> Zig:
    """A program that notes its calls, and does what $FAKE_ZIG says."""
    executable = tmp_path / "zig"
    executable.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, time\n"
        f"log = open({str(tmp_path / 'calls')!r}, 'a')\n"
        "log.write(' '.join(sys.argv[1:]) + '|' + os.environ['ZIG_LIB_DIR'] + '\\n')\n"
        "log.close()\n"
        "if os.environ.get('FAKE_ZIG') == 'fails':\n"
        "    sys.exit('error: out of patience')\n"
        "if os.environ.get('FAKE_ZIG') == 'hangs':\n"
        "    time.sleep(3600)\n"
    )
    executable.chmod(0o755)
    (tmp_path / "copy" / "lib").mkdir(parents=True)
    (tmp_path / "copy" / "lib" / "c.zig").touch()
    return Zig(executable, "0.17.1", tmp_path / "copy" / "lib", tmp_path / "cache")


def calls(zig: Zig) -> list[str]:
    log = zig.executable.with_name("calls")
    return log.read_text().splitlines() if log.exists() else []


def warmed(zig: Zig, folder: Path, flags: tuple[str, ...] = ("c++", "-O3")) -> WarmUp:
    warm_up = WarmUp(zig, flags)
    warm_up.start(folder)
    warm_up.wait()
    return warm_up


def test_the_cold_build_happens_once_per_machine(fake: Zig, tmp_path: Path) -> None:
    assert WarmUp(fake, ("c++", "-O3")).needed
    assert not warmed(fake, tmp_path).needed
    warmed(fake, tmp_path)
    assert calls(fake) == [f"c++ -O3 warm_up.cpp -o warm_up.dll|{fake.lib_dir}"]


def test_what_would_get_headers_libraries_or_flags_in_is_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steering = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH")
    others = ("INCLUDE", "LIB", "CL", "CCC_OVERRIDE_OPTIONS", "ZIG_LIBC", "NIX_CFLAGS_COMPILE")
    kept = ("PATH", "HOME", "TMPDIR", "INCLUDED", "MY_CPATH")
    for name in (*steering, *others, *kept):
        monkeypatch.setenv(name, os.environ.get(name, str(tmp_path)))
    executable, seen = tmp_path / "zig", tmp_path / "seen"
    executable.write_text(
        f"#!{sys.executable}\nimport os\nopen({str(seen)!r}, 'w').write('\\n'.join(os.environ))\n"
    )
    executable.chmod(0o755)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "c.zig").touch()
    zig = Zig(executable, "0.17.1", tmp_path / "lib", tmp_path / "cache")
    zig.run(["version"], cwd=tmp_path, doing="asking")
    for _ in range(2):
        names = seen.read_text().splitlines()
        assert {*kept, *zig.env} <= {*names}
        assert not {*steering, *others} & {*names}
        warmed(zig, tmp_path)


def test_other_flags_are_another_cold_build(fake: Zig, tmp_path: Path) -> None:
    warmed(fake, tmp_path)
    warmed(fake, tmp_path, ("c++", "-O0"))
    assert len(calls(fake)) == 2


def test_another_copy_of_the_lib_folder_is_cold(fake: Zig, tmp_path: Path) -> None:
    warmed(fake, tmp_path)
    library = fake.lib_dir / "c.zig"
    library.with_name("other").touch()
    os.utime(library.with_name("other"), ns=(1, 1))
    library.with_name("other").replace(library)
    assert WarmUp(fake, ("c++", "-O3")).needed


@pytest.mark.parametrize(("version", "known"), [("0.17.1", True), ("0.18.0", False)])
def test_a_cache_that_was_restored_is_made_to_fit_where_its_form_is_known(
    fake: Zig, tmp_path: Path, version: str, known: bool
) -> None:
    zig = replace(fake, version=version)
    warmed(zig, tmp_path)
    library = zig.lib_dir / "c.zig"
    lists = zig.cache_dir / "h"
    lists.mkdir(parents=True)
    row = struct.pack("<QQQ", 0, 1, 1) + bytes(16) + b"\x04c.zig\0\0"
    (lists / ("0" * 32)).write_bytes(row)
    os.utime(library, ns=(1_000, 1_000))
    assert WarmUp(zig, ("c++", "-O3")).moved == known
    warmed(zig, tmp_path)
    stamp = struct.unpack_from("<QQQ", (lists / ("0" * 32)).read_bytes())
    assert stamp == ((0, library.stat().st_ino, 1_000) if known else (0, 1, 1))
    assert not WarmUp(zig, ("c++", "-O3")).moved, "it was warmed since"


def test_a_cold_build_that_fails_is_said_and_tried_again(
    fake: Zig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ZIG", "fails")
    with pytest.raises(ToolError, match="cannot build the target's C\\+\\+ run time") as error:
        warmed(fake, tmp_path)
    assert error.value.cause == "error: out of patience"
    monkeypatch.delenv("FAKE_ZIG")
    assert WarmUp(fake, ("c++", "-O3")).needed
    assert not warmed(fake, tmp_path).needed


def test_a_cold_build_that_is_cancelled_counts_as_not_done(
    fake: Zig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ZIG", "hangs")
    warm_up = WarmUp(fake, ("c++", "-O3"))
    warm_up.start(tmp_path)
    assert warm_up.running
    warm_up.cancel()
    assert not warm_up.running
    assert warm_up.needed


def test_a_zig_that_cannot_be_started_is_named(fake: Zig, tmp_path: Path) -> None:
    gone = Zig(tmp_path / "nowhere", fake.version, fake.lib_dir, fake.cache_dir)
    with pytest.raises(ToolError, match="zig cannot be started") as error:
        gone.run(["version"], cwd=tmp_path, doing="asking")
    assert "nowhere" in error.value.cause


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ziglang", None)
    with pytest.raises(ToolError, match="zig is missing") as error:
        find_zig()
    assert "pip install" in error.value.next_step


def test_a_cache_behind_a_link_is_one_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """zig's cache is keyed by the path of its lib folder, so there must be one spelling."""
    package = tmp_path / "site" / "ziglang"
    (package / "lib").mkdir(parents=True)
    (package / "lib" / "c.zig").touch()
    for name in ("__init__.py", "zig"):
        (package / name).touch()
    monkeypatch.delitem(sys.modules, "ziglang", raising=False)
    monkeypatch.syspath_prepend(str(package.parent))
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    found = []
    for name in ("real", "link"):
        monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / name))
        found.append(find_zig())
    assert found[0] == found[1]
    assert (found[0].lib_dir / "c.zig").is_file()
