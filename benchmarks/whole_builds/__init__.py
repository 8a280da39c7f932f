"""Whole builds, each beside its reference of the same run: what benchmarks/builds.py runs."""
