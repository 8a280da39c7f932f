"""What a result's file starts with: a line of JSON that the rest is known by, and its signature.

The line says which result it is (kind, key) and what follows (bytes, sha256). That finds damage.
It proves nothing about who has written it: a key is a digest of what went into a result, not of
the result. In a store that others write to the line is signed (HMAC-SHA256) with a secret that
builds share, and with the line all that it says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re

from aotwin.errors import ConfigurationError

_FORMAT = 1
#: bytes of the first line at most
_MAX_HEADER_NBYTES = 1024
_SIGNATURE = re.compile(rb', "hmac": "[0-9a-f]{64}"\}\n\Z')
#: characters of a secret at least: whoever reads the store may try guesses as fast as he can
MIN_SECRET = 32


def secret_of_builds() -> bytes:
    """The secret that signs results in a shared store (`AOTWIN_CACHE_KEY`); empty without one.

    Raises:
        ConfigurationError: it is so short that it could be guessed.
    """
    text = os.environ.get("AOTWIN_CACHE_KEY", "").strip()
    if text and len(text) < MIN_SECRET:
        raise ConfigurationError(
            f"AOTWIN_CACHE_KEY has {len(text)} characters",
            cause=f"whoever reads the shared cache could guess it; {MIN_SECRET} are the least",
            next_step='Make one with python -c "import secrets; print(secrets.token_hex(32))", and '
            "keep it where your CI service keeps secrets.",
        )
    return os.fsencode(text)


def sealed(content: bytes, kind: str, key: str, secret: bytes = b"") -> bytes:
    """A result's file: the line that it is known by, signed with the secret if any; the content."""
    return _line(content, kind, key, secret) + content


def opened(data: bytes, kind: str, key: str, secret: bytes = b"") -> bytes | None:
    """The content of a result's file, or None where it is not that result, whole.

    Args:
        secret: that it must be signed with; without one, a signature tells nothing.
    """
    end = data.find(b"\n", 0, _MAX_HEADER_NBYTES) + 1
    line, content = data[:end], data[end:]
    if not secret:
        line = _SIGNATURE.sub(b"}\n", line)
    return content if hmac.compare_digest(line, _line(content, kind, key, secret)) else None


def _line(content: bytes, kind: str, key: str, secret: bytes) -> bytes:
    header = {
        "aotwin": _FORMAT,
        "kind": kind,
        "key": key,
        "nbytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if secret:
        header["hmac"] = hmac.new(secret, json.dumps(header).encode(), hashlib.sha256).hexdigest()
    return json.dumps(header).encode() + b"\n"
