"""What all tests share."""

from __future__ import annotations

import os

import pytest

# What eager torch computes with here, and in each process that a test starts. On CPUs with
# AVX512_FP16 its oneDNN crashes in three-dimensional convolutions of float16, and where a CPU has
# AMX it sums in another order.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")


#: fixtures of a session that take long to build -> what the tests that use them are called together
COSTLY = {
    "library_path": "runtime",
    "models": "dlls",
    "own_sdk": "sdk",
    "sdk": "sdk",
    "torch_sdk": "sdk",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what one of several workers runs alone: a file, or all that uses a costly fixture."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        group = next((COSTLY[name] for name in names if name in COSTLY), "")
        item.add_marker(pytest.mark.xdist_group(group or item.nodeid.partition("::")[0]))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="fail the run if a test was skipped: a tool that is missing must be installed",
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests are failures in this run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
