"""Kortom: Dutch articles in, English text and a short bullet summary out."""

__version__ = "0.1.0"
