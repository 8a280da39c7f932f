"""A DLL is linked anew for whatever changes in what decides it, and for nothing else."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from generated_wrapper import BUFFER, WEIGHT, archive, files, source
from pe_image import build_image

from aotwin.adapters.tools.zig import Zig
from aotwin.stages.link import compiler, linker
from aotwin.stages.link.linker import link_model
from aotwin.stages.link.sysroot import Sysroot
from aotwin.stages.wrapper.reader import read_wrapper
from aotwin.target.toolchain import load_toolchain, toolchain_path
from aotwin.values import BlobInfo, TensorSpec

TOOLCHAIN = load_toolchain("windows")
Link = Mapping[str, Any]


@pytest.fixture
def zig(tmp_path: Path) -> Zig:
    """A linker that notes its calls beside itself, and writes one DLL whatever it is given."""
    image = tmp_path / "image.dll"
    image.write_bytes(build_image(["entry"]).finish())
    executable = tmp_path / "zig"
    executable.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys\n"
        "with pathlib.Path(sys.argv[0]).with_name('calls').open('a') as log:\n"
        "    log.write('call\\n')\n"
        f"shutil.copyfile({str(image)!r}, sys.argv[sys.argv.index('-o') + 1])\n"
    )
    executable.chmod(0o755)
    return Zig(executable, "0.17.1", tmp_path / "zig of this" / "lib", tmp_path / "cache")


@pytest.fixture
def own_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the C++ that is compiled into every DLL, in place of ours."""
    copy = tmp_path / "dll"
    shutil.copytree(toolchain_path("windows/dll"), copy)
    monkeypatch.setattr(
        compiler,
        "toolchain_path",
        lambda name: copy if name == "windows/dll" else toolchain_path(name),
    )
    return copy


@pytest.fixture
def link(zig: Zig, own_sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    """What a DLL is linked from."""
    monkeypatch.setenv("AOTWIN_CACHE_DIR", str(tmp_path / "user"))
    text = source((WEIGHT, BUFFER))
    wrapper = read_wrapper(archive(tmp_path / "m.pt2", files(text, bytes(128))))[0]
    wrapper = dataclasses.replace(
        wrapper, inputs=(TensorSpec("x", "float32", (2, 3)),), outputs=(TensorSpec("y"),)
    )
    return {
        "compiled": (b"model", b"entry points"),
        "wrapper": wrapper,
        "blob": BlobInfo(tmp_path / "m_weights.blob", 128, bytes(32), "0" * 64),
        "dll_name": "m.dll",
        "output_dir": tmp_path,
        "toolchain": TOOLCHAIN,
        "cpu": TOOLCHAIN.cpus["x86-64-v3"],
        "sysroot": Sysroot(tmp_path / "sysroots" / "torch", "2.13.0", "0" * 64),
        "zig": zig,
        "binding": "",
        "runs_with": (),
    }


def calls(zig: Zig) -> int:
    return len(zig.executable.with_name("calls").read_text().splitlines())


def run(link: Link) -> bytes:
    return link_model(**link).path.read_bytes()


def of(name: str, **changes: Any) -> Callable[[Link], Link]:
    """The same with other fields in one of its values."""
    return lambda link: {**link, name: dataclasses.replace(link[name], **changes)}


def written(link: Link) -> Link:
    """The same of a model that writes another of its constants."""
    first, *others = link["wrapper"].constants
    constants = (dataclasses.replace(first, mutable=not first.mutable), *others)
    return of("wrapper", constants=constants)(link)


def exporting(link: Link) -> Link:
    """The same of a torch whose models have a further entry point."""
    text = "AOTIRuntimeError AOTInductorModelOfTomorrow(int a) {}\n"
    return of("wrapper", source=f"{link['wrapper'].source}\n{text}")(link)


OTHERS: Mapping[str, Callable[[Link], Link]] = {
    "the model's object": lambda link: {**link, "compiled": (b"other", b"entry points")},
    "the entry points' object": lambda link: {**link, "compiled": (b"model", b"other")},
    "one object": lambda link: {**link, "compiled": (b"model",)},
    "the digest of the weights": of("blob", digest=bytes(31) + b"\1"),
    "the size of the weights": of("blob", constants_nbytes=192),
    "where the weights lie": of("blob", shared_from="../a/m_weights.blob"),
    "a constant that is written": written,
    "an entry point": exporting,
    "an input": of("wrapper", inputs=(TensorSpec("x", "float32", (2, 4)),)),
    "an output": of("wrapper", outputs=(TensorSpec("z"),)),
    "a fixed output": of("wrapper", fixed_outputs={0: None}),
    "an operator of torch's runner": of(
        "wrapper", extern_nodes=b'{"nodes": [{"node": {"target": "aten::det"}}]}'
    ),
    "the DLL's name": lambda link: {**link, "dll_name": "other.dll"},
    "the CPU level": lambda link: {**link, "cpu": TOOLCHAIN.cpus["x86-64-v4"]},
    "the link's flags": of("toolchain", link_flags=(*TOOLCHAIN.link_flags, "-O1")),
    "the triple": of("toolchain", triple="aarch64-windows-gnu"),
    "the torch": of("sysroot", torch_version="2.14.1"),
    "the run time": lambda link: {**link, "binding": '#include "aotwin_binding.h"\n'},
    "torches that it runs in": lambda link: {**link, "runs_with": ("2.14.1",)},
    "zig's version": of("zig", version="0.17.2"),
    "zig's lib": of("zig", lib_dir=Path("/another zig/lib")),
}


def test_the_same_is_linked_once_wherever_sysroot_and_results_lie(
    link: Link, zig: Zig, tmp_path: Path
) -> None:
    first = run(link)
    elsewhere = tmp_path / "elsewhere"
    moved = of("sysroot", directory=elsewhere / "torch")(link)
    for each in (link, moved, {**link, "output_dir": elsewhere}):
        assert run(each) == first
    assert calls(zig) == 1


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_a_dll_is_linked_anew_for_another(
    change: Callable[[Link], Link], link: Link, zig: Zig
) -> None:
    run(link)
    for _ in range(2):
        run(change(link))
        assert calls(zig) == 2


def test_a_dll_is_linked_anew_for_other_sources_of_ours(
    link: Link, zig: Zig, own_sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(link)
    with (own_sources / "locale_support.c").open("a") as file:
        file.write("/* changed */\n")
    for _ in range(2):
        run(link)
        assert calls(zig) == 2
    monkeypatch.setattr(linker, "own_code_digest", lambda: "of another version")
    for _ in range(2):
        run(link)
        assert calls(zig) == 3


def test_a_dll_is_linked_anew_for_another_sysroot(link: Link, zig: Zig, tmp_path: Path) -> None:
    run(link)
    run(of("sysroot", directory=tmp_path / "sysroots" / "torch-of-another-pin")(link))
    assert calls(zig) == 2
