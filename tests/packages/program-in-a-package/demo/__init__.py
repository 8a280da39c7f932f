"""Shipped."""
