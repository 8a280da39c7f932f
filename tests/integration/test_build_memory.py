"""Weights go from where they are into blob and wheel: never all of them in memory once more."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from aotwin.stages.pack.wheel import PackedFile, PackedModel, pack_wheel
from aotwin.stages.weights import write_blob
from aotwin.stages.wrapper.reader import read_wrapper

REPO = Path(__file__).resolve().parents[2]
GB = 10**9
#: what a build may add to the memory of the loaded program
FIXED, SHARE = 200 * 10**6, 0.02
#: what streaming may take: chunks under way, buffers, the archive's directory
STREAMED = 100 * 10**6


def status(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def rise(action: Callable[[], object]) -> int:
    """How far this process's resident memory goes up while something runs, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    action()
    return status("VmHWM") - before


def test_a_copy_of_the_weights_would_be_seen() -> None:
    assert rise(lambda: b"x" * (GB // 4)) > 0.9 * GB / 4


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.zig
def test_a_build_adds_little_to_the_memory_of_the_loaded_program(
    warm_cache: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, REPO / "benchmarks" / "build_peak.py", "aotwin", str(GB), tmp_path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["weights"] >= GB
    assert told["rise"] <= FIXED + SHARE * told["weights"]
    blob = tmp_path / "peak" / "peak_weights.blob"
    assert blob.stat().st_size > told["weights"]


@pytest.mark.long
def test_a_ready_blob_goes_from_its_archive_into_blob_and_wheel_as_a_stream(
    ready_wrapper: Path, tmp_path: Path
) -> None:
    archive = enlarged(ready_wrapper, tmp_path / "large.pt2", GB)
    pure = pure_wheel(tmp_path)
    blob = tmp_path / "m_weights.blob"

    def build() -> None:
        _, weights = read_wrapper(archive)
        assert weights.nbytes > GB
        write_blob(weights, blob)
        model = PackedModel("m", (PackedFile("m/m_weights.blob", blob),))
        pack_wheel(pure, [model], tmp_path, wheel_tag="win_amd64")

    assert rise(build) < STREAMED
    assert blob.stat().st_size > GB


@pytest.mark.torch
def test_a_program_whose_weights_are_mapped_stays_mapped(tmp_path: Path) -> None:
    import torch

    from aotwin.stages.generate.aotinductor import generate

    saved = tmp_path / "weights.pt"
    torch.save(torch.nn.Linear(64, 64).state_dict(), saved)
    module = torch.nn.Linear(64, 64)
    module.load_state_dict(torch.load(saved, mmap=True), assign=True)
    program = torch.export.export(module.eval(), (torch.ones(2, 64),))
    _, weights = generate(program, name="m", simdlen=256, inductor={})
    addresses = [
        ctypes.addressof(ctypes.c_char.from_buffer(chunk))
        for chunk in weights.chunks()
        if len(chunk) >= 256
    ]
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ranges = [
        range(*(int(end, 16) for end in fields[0].split("-")))
        for fields in maps
        if fields[-1] == str(saved)
    ]
    assert len(addresses) == 2
    assert all(any(address in mapped for mapped in ranges) for address in addresses)


def enlarged(wrapper: Path, path: Path, nbytes: int) -> Path:
    """A copy of a ready wrapper's archive whose first constant has grown by so many bytes."""
    with zipfile.ZipFile(wrapper) as source, zipfile.ZipFile(path, "w") as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename.endswith("wrapper.cpp"):
                text = content.decode()
                before, found, after = text.partition("constants_info_[0].data_size = ")
                assert found
                size, semicolon, rest = after.partition(";")
                content = f"{before}{found}{int(size) + nbytes}{semicolon}{rest}".encode()
            with target.open(zipfile.ZipInfo(info.filename), "w", force_zip64=True) as member:
                if info.filename.endswith("_weights.blob"):
                    for _ in range(nbytes // 1_000_000):
                        member.write(bytes(1_000_000))
                member.write(content)
    return path


def pure_wheel(folder: Path) -> Path:
    """The least that a project's own wheel can be."""
    path = folder / "demo-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("demo-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1")
        wheel.writestr(
            "demo-1.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("demo-1.dist-info/RECORD", "")
    return path
