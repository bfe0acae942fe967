"""Muniment makes a written secure-development policy run, and keeps the proof."""

__version__ = "0.1.0"
