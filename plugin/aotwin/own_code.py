"""Which aotwin this is, to the byte: part of what every remembered result depends on."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


@cache
def own_code_digest() -> str:
    """A digest of aotwin's Python, names and contents, hex; another version has another."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        name = path.relative_to(root).as_posix().encode()
        digest.update(b"%d %d " % (len(name), len(content)) + name + content)
    return digest.hexdigest()
