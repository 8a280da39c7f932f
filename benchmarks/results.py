"""What a benchmark found: figures, each beside its reference of the same run, and a table."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: ratios beyond this have one side at nothing
_MOST_TOLD = 10_000


@dataclass(frozen=True)
class Row:
    """One line of the table: medians, and what they have to reach."""

    what: str
    #: of what size or kind
    case: str
    measured: float
    reference: float
    unit: str
    reference_name: str
    target: str
    reached: bool
    #: every single measurement, for the JSON
    samples: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Reference over measured: how many times less than the reference; 0 where nothing is."""
        return self.reference / self.measured if self.measured else 0.0

    def to_json(self) -> dict[str, Any]:
        """All fields, and the ratio."""
        return {**asdict(self), "ratio": self.ratio}


def median(samples: Sequence[dict[str, float]], *fields: str) -> float:
    """The median of a field, or of the sum of several fields of each sample."""
    return statistics.median(sum(sample[field] for field in fields) for sample in samples)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| what | case | measured | reference | reference / measured | to reach | reached |",
        "|---|---|---|---|---|---|---|",
    ]
    lines.extend(
        f"| {row.what} | {row.case} | {_spell(row.measured, row.unit)} "
        f"| {_spell(row.reference, row.unit)} ({row.reference_name}) | {_spell_ratio(row.ratio)} "
        f"| {row.target} | {'yes' if row.reached else '**no**'} |"
        for row in rows
    )
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What was measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    models = re.findall(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    return {
        "cpu": models[0] if models else platform.processor(),
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "load_average": os.getloadavg()[0],
    }


def finish(rows: Sequence[Row], path: Path) -> int:
    """Print the table, write all figures as JSON; the exit code, 1 where a target is missed."""
    result = {"version": 1, "machine": machine(), "rows": [row.to_json() for row in rows]}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(rows))
    return 0 if all(row.reached for row in rows) else 1


def _spell_ratio(ratio: float) -> str:
    if not ratio or ratio > _MOST_TOLD:
        return f"over {_MOST_TOLD:,}"
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"


def _spell(value: float, unit: str) -> str:
    digits = 1 if unit == "ms" and value < 100 else 0 if unit in ("ms", "MB") else 2
    return f"{value:,.{digits}f} {unit}"
