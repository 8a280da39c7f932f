"""The check against the one judge that counts: what it passes must load and compute right.

Two long runs. Mutants of a real model's DLL: those that the check lets through without a seal are
loaded and run. Varied small models: what the build makes of them passes with no finding at all.
The figures of both are printed; the environment sets how many:

    AOTWIN_ORACLE_MUTANTS   mutants that are made (200)
    AOTWIN_ORACLE_MODELS    models that are generated and compiled (12)
    AOTWIN_ORACLE_RELINKS   builds of each with other weights: a link and no compile (25)
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from model_dlls import BytesWeights, compile_for, windows_sysroot

from aotwin.adapters.pe import pefile_reader as pe_pefile
from aotwin.adapters.pe.checksum import compute_checksum
from aotwin.adapters.pe.image import DIRECTORY_NAMES, PeFacts, facts_of
from aotwin.adapters.pe.readers import Readers
from aotwin.stages.check.dll import check_dll, check_dll_bytes
from aotwin.stages.check.rules import IMAGE_RULES, Image
from aotwin.stages.check.rules.policy import load_policy
from aotwin.stages.generate.aotinductor import generate
from aotwin.stages.weights import write_blob
from aotwin.target.toolchain import load_toolchain
from aotwin.weights_source import WeightSource

if TYPE_CHECKING:
    from model_dlls import ModelDll
    from weights_host import WeightsHost

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200)]

WIDTH = 64
POLICY = load_policy("windows-x86_64")
#: directories whose tables are mutated; the headers are one region more
TABLES = ("export", "import", "relocation", "exception", "TLS", "debug")
#: figures that lead readers astray
FIGURES = (0, 1, 0x7F, 0xFF, 0x1000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def count(name: str, default: int) -> int:
    return int(os.environ.get(f"AOTWIN_ORACLE_{name}", default))


@dataclass(frozen=True)
class Mutant:
    """A changed DLL with the right checksum, as somebody who wants to be believed leaves it."""

    region: str
    offset: int
    data: bytes


def regions(data: bytes, facts: PeFacts) -> dict[str, tuple[int, int]]:
    """Name -> first and last offset of what is mutated."""
    found = {"headers": (0, facts.headers_size)}
    for name in TABLES:
        directory = facts.directory(name)
        start = facts.file_offset(directory.rva, directory.size) if directory.size else None
        if start is not None:
            found[name] = (start, start + directory.size)
    assert set(TABLES) <= set(DIRECTORY_NAMES)
    return found


def mutants(data: bytes, facts: PeFacts, number: int) -> Iterator[Mutant]:
    """Mutants from seed 0; every second one in the headers."""
    choice = random.Random(0)
    places = regions(data, facts)
    for index in range(number):
        region = "headers" if index % 2 else choice.choice([*places])
        offset = choice.randrange(*places[region])
        # Not beyond the region: no rule claims to know the code and the data behind it.
        size = min(choice.choice((1, 1, 2, 4)), places[region][1] - offset)
        figure = choice.choice([*FIGURES, choice.getrandbits(32), data[offset] ^ (1 << index % 8)])
        changed = bytearray(data)
        changed[offset : offset + size] = (figure & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        try:
            place = facts.header_offset + 24 + 64
            changed[place : place + 4] = compute_checksum(bytes(changed)).to_bytes(4, "little")
        except ValueError:
            pass  # the PE header is not where it was: such a file has no checksum
        if bytes(changed) != data:
            yield Mutant(region, offset, bytes(changed))


@pytest.fixture(scope="module")
def readers() -> Iterator[Readers]:
    """One pair of processes for all: no file may change what is read of the next."""
    with closing(Readers()) as started:
        yield started


def passes(data: bytes, exports: dict[str, frozenset[str]], readers: Readers) -> bool:
    """The check lets it through without a seal. Rules come first: they are quicker."""
    try:
        facts = facts_of(pe_pefile.read(data))
    except ValueError:
        return False
    lower = {dll.lower(): names for dll, names in exports.items()}
    image = Image(data, facts, POLICY, lower)
    if any(rule.findings(image) for rule in IMAGE_RULES):
        return False
    report = check_dll_bytes(
        "mutant.dll", data, policy=POLICY, sysroot_exports=exports, read=readers.read
    )
    return bool(report)


def outcome(host: WeightsHost, dll: Path) -> tuple[str, list[float]]:
    """What became of a DLL in a process of its own, and the model's first output."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.txt")
        script.write_text(
            f"load\t{host.path(dll)}\ncreate\t0\t1\nrun\t0\t{WIDTH}\ndelete\t0\n", encoding="utf-8"
        )
        torch_dll = host.windows.torch_lib / "torch_cpu.dll"
        done = host.windows.exe(host.program, [torch_dll, script], timeout=120, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if not answers or not answers[0].get("loaded"):
        return "refused", []
    if done.returncode != 0 or len(answers) != 4:
        return "crashed", []
    if any(each.get("error", 0) for each in answers):
        return "failed", []
    return "ran", list(answers[2]["outputs"][0])


def test_mutants_that_the_check_passes_load_and_compute_right(
    counting: ModelDll,
    host: WeightsHost,
    readers: Readers,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sound = counting.dll.read_bytes()
    seal = hashlib.sha256(sound).hexdigest()
    facts = facts_of(pe_pefile.read(sound))
    exports = windows_sysroot()[1].exports
    dll = counting.copied_to(tmp_path / "model")
    result, expected = outcome(host, dll)
    assert result == "ran"
    made = list(mutants(sound, facts, count("MUTANTS", 200)))
    passed = [each for each in made if passes(each.data, exports, readers)]
    outcomes: Counter[str] = Counter()
    harmful = []
    for mutant in passed:
        dll.write_bytes(mutant.data)
        result, output = outcome(host, dll)
        if result == "ran" and output != expected:
            result = "computed something else"
        outcomes[f"{mutant.region}: {result}"] += 1
        if result != "ran":
            harmful.append(f"{mutant.region} at {mutant.offset:#x}: {result}")
        # The manifest's seal covers every byte, also those that no rule has an opinion on.
        report = check_dll_bytes(
            "mutant.dll", mutant.data, policy=POLICY, sealed_sha256=seal, read=readers.read
        )
        assert [finding.id for finding in report.findings] == ["PE-SEAL"]
    with capsys.disabled():
        print(f"\n{len(made)} mutants, {len(passed)} pass without a seal: {dict(outcomes)}")
    assert harmful == []


class Varied(torch.nn.Module):
    """A small model whose layers a seed decides."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        choice = random.Random(seed)
        torch.manual_seed(seed)
        self.width = choice.choice((4, 8, 16, 33))
        sizes = [self.width, *(choice.choice((3, 8, 17, 64)) for _ in range(choice.randint(1, 3)))]
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(here, there, bias=choice.random() < 0.7)
            for here, there in pairwise(sizes)
        )
        self.norm = torch.nn.LayerNorm(sizes[-1]) if choice.random() < 0.5 else None
        self.activation = choice.choice((torch.relu, torch.tanh, torch.sigmoid, torch.exp))
        self.reduction = choice.choice((torch.sum, torch.mean, torch.amax, torch.softmax))
        if choice.random() < 0.5:
            self.register_buffer("calls", torch.zeros(choice.randint(1, 4)))
        self.double = choice.random() < 0.3

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        for layer in self.layers:
            x = self.activation(layer(x))
        if self.norm is not None:
            x = self.norm(x)
        results = [x, self.reduction(x, -1)]
        if self.double:
            results.append(x.double().cumsum(-1))
        if hasattr(self, "calls"):
            self.calls.add_(1)
            results.append(self.calls + 0)
        return tuple(results)


def constants_of(source: WeightSource, relink: int) -> BytesWeights:
    """The model's constants, each byte moved on by the number of the build."""
    data = b"".join(bytes(chunk) for chunk in source.chunks())
    return BytesWeights(data.translate(bytes((value + relink) % 256 for value in range(256))))


def test_varied_models_pass_with_no_finding(
    readers: Readers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toolchain = load_toolchain("windows")
    exports = windows_sysroot()[1].exports
    models, builds = 0, 0
    for seed in range(count("MODELS", 12)):
        module = Varied(seed).eval()
        program = torch.export.export(module, (torch.ones(2, module.width),))
        cpu = toolchain.cpus[("x86-64-v3", "x86-64-v4")[seed % 2]]
        wrapper, weights = generate(program, name=f"varied{seed}", simdlen=cpu.simdlen, inductor={})
        link = compile_for(wrapper, f"varied{seed}.dll", cpu.name)
        models += 1
        for relink in range(count("RELINKS", 25)):
            folder = tmp_path / f"{seed}-{relink}"
            folder.mkdir()
            blob = write_blob(constants_of(weights, relink), folder / f"varied{seed}_weights.blob")
            sealed = link(blob, folder)
            report = check_dll(
                sealed.path, policy=POLICY, sysroot_exports=exports,
                sealed_sha256=sealed.sha256, read=readers.read,
            )  # fmt: skip
            assert (report.findings, report.skipped) == ((), ()), report.to_text()
            builds += 1
            shutil.rmtree(folder)
    with capsys.disabled():
        print(f"\n{builds} builds of {models} varied models passed")
    assert builds == count("MODELS", 12) * count("RELINKS", 25) > 0
