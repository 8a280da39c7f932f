"""The one place that knows aotwin's version."""

__version__ = "0.1.0"
