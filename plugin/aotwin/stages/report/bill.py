"""The software that a wheel's bill of materials names, with its licences."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

_LONGEST = 200
_MAX_PARTS = 500


@dataclass(frozen=True)
class Part:
    """One piece of software in the bill."""

    name: str
    version: str
    license: str
    description: str


def parse_bill(data: bytes) -> Sequence[Part]:
    """The project and the components of a CycloneDX bill, its files left out.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        bill = json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(bill, dict):
        raise ValueError("it is no JSON object")
    metadata = bill.get("metadata")
    rows = [metadata.get("component")] if isinstance(metadata, dict) else []
    components = bill.get("components")
    rows += components[:_MAX_PARTS] if isinstance(components, list) else []
    return [
        Part(_text(row, "name"), _text(row, "version"), _license(row), _text(row, "description"))
        for row in rows
        if isinstance(row, dict) and row.get("type") != "file"
    ]


def _text(row: dict[str, object], key: str) -> str:
    value = row.get(key)
    return value[:_LONGEST] if isinstance(value, str) else ""


def _license(row: dict[str, object]) -> str:
    found = []
    licenses = row.get("licenses")
    for each in licenses if isinstance(licenses, list) else []:
        if isinstance(each, dict):
            inner = each.get("license")
            named = inner if isinstance(inner, dict) else each
            found.append(_text(named, "expression") or _text(named, "id") or _text(named, "name"))
    return ", ".join(found)
