"""A build that could not run its models stops before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from aotwin import session
from aotwin.errors import ToolError


def test_without_wine_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("aotwin.adapters.tools.wine._FOLDERS", ())
    with pytest.raises(ToolError, match="Wine is not installed") as caught:
        session.require_provable()
    assert "Install the package wine64" in caught.value.next_step


def test_without_numpy_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="numpy is missing, with which check=run compares"):
        session.require_provable()
