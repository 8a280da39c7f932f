"""Programs that another torch than the tests' own compiles, from pyproject.toml to results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aotwin import checking
from aotwin.target.toolchain import load_toolchain
from linux_torch import linux_torch
from windows_on_wine import WindowsPython

REPO = Path(__file__).resolve().parents[2]
NEWEST = load_toolchain("windows").newest_torch
EXPORT = """
import copy
import numpy, torch
from torch import nn
from torch.export import Dim, export

class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(4, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)
        self.register_buffer("calls", torch.zeros(1))
    def forward(self, x):
        self.calls.add_(1)
        hidden = torch.relu(self.convolution(x)).mean(-1)
        return {"y": torch.softmax(self.head(hidden), -1), "calls": self.calls.clone()}

def network():
    torch.manual_seed(3)
    model, x = Network().eval(), torch.randn(5, 4, 6)
    program = export(model, (x,), dynamic_shapes=({0: Dim("batch", min=2, max=64)},))
    with torch.no_grad():
        eager = copy.deepcopy(model)
        results = [eager(x) for _ in range(2)]
    arrays = {f"{name}{at}": each[name].numpy() for at, each in enumerate(results) for name in each}
    numpy.savez("samples.npz", x=x.numpy(), **arrays)
    return program
"""
CALL = """
import json, sys
import numpy
from demo.network import model
samples = numpy.load(sys.argv[1])
results = [model(samples["x"]) for _ in range(2)]
print(json.dumps(max(
    float(abs(each[name] - samples[f"{name}{at}"]).max())
    for at, each in enumerate(results) for name in each
)))
"""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_project_is_built_with_the_newest_torch(windows: WindowsPython, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src" / "demo").mkdir(parents=True)
    (project / "src" / "demo" / "__init__.py").touch()
    (project / "export_model.py").write_text(EXPORT)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["aotwin"]\nbuild-backend = "aotwin.build_meta"\n'
        '[project]\nname = "demo"\nversion = "1.0"\n'
        '[tool.setuptools.packages.find]\nwhere = ["src"]\n'
        '[tool.aotwin.models."demo.network"]\nprogram = "export_model:network"\nruntime = "own"\n'
    )
    variables = linux_torch(NEWEST)
    paths = [variables["PYTHONPATH"], str(REPO / "plugin")]
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--skip-dependency-check",
         "--config-setting", "target=windows"],
        cwd=project,
        env=os.environ | variables | {"PYTHONPATH": os.pathsep.join(paths)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (project / "dist").iterdir()
    report = checking.check(wheel, full=True)
    assert report, report.to_text()
    without_torch = windows.without_torch
    without_torch.install([wheel], tmp_path / "site")
    manifest = json.loads((tmp_path / "site" / "demo" / "network" / "aotwin.json").read_bytes())
    assert manifest["torch"]["version"] == NEWEST
    assert manifest["torch"]["generated_by"].partition("+")[0] == NEWEST
    said = without_torch.python(
        ["-c", CALL, project / "samples.npz"], pythonpath=[tmp_path / "site"]
    )
    assert json.loads(said.stdout) <= 1e-6
