"""The fake run time, and models over it that may be loaded on Linux."""

from __future__ import annotations

from fake_model import libraries, make

__all__ = ["libraries", "make"]
