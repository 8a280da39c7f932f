"""Whole builds: the one place that strings the stages together."""
