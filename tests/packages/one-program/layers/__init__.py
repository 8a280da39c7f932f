"""Reached from `export_model` only."""

from .classifier import Classifier as Classifier
