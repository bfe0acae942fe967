"""Scanners of source code: engines behind one interface, and our own analysis of Python."""
