"""What all tests share."""

from __future__ import annotations

import os

import pytest

# What eager torch computes with here, and in each process that a test starts. On CPUs with
# AVX512_FP16 its oneDNN crashes in three-dimensional convolutions of float16, and where a CPU has
# AMX it sums in another order.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")


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
