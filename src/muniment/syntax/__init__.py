"""Syntax trees of other languages than Python, for scanners and designs alike."""
