"""Mutation tests: each condition of a module is made wrong, one at a time, and some test has to notice.

`mutants.py` finds the conditions, `trials.py` runs the tests that reach each, `records.py` keeps what survived with a
reason, and which functions were tried. docs/guides/mutation-tests.md says how to use it.
"""
