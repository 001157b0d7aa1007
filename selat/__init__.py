"""Selat: one governed, provable road from a caller to any model."""

__version__ = "0.1.0"
