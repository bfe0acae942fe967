"""Hostile code: what the analysed repository says costs bounded time, and none of it is executed or imported."""

import sys

import pytest

from muniment.scanners.findings import CoverageState
from tests.scanners.scanning import find, scan, wrap_in_view

BOMBS = {
    "repetition": "x = 'a' * 10**9\ny = [0] * 10**9\nz = ('ab' * 9999) * 9999\n",
    "power": "x = 9**9**9**9\ny = 1 << 10**9\nz = 2**100000\n",
    "widths": "x = '%999999999d' % 1\ny = '{:>999999999}'.format(1)\nz = f'{1:999999999}'\nw = 'a'.zfill(10**9)\n",
    "joins": "x = 'a'\nfor i in range(16): x = x + x + x + x\ny = ''.join([x] * 5000)\nz = x.replace('a', x)\n",
    "expression": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')\nre.sub('(x|x)*y', '', 'x' * 90)\n",
    "recursion": "def f(n): return g(n) + g(n)\ndef g(n): return f(n) + f(n)\nf(1)\n",
    "loops": "while True:\n  while True:\n    x = 1\n",
    "fields": "'{0.__class__.__mro__}'.format(1)\n'{0[x]}'.format({})\n",
    "digits": "int('9' * 9999)\nfloat('1' * 9999)\n",
    "sequences": "a = [1, 2]\na.append(a)\nb = {'a': a}\nb['b'] = b\nprint('%s' % a, str(b), a + a)\n",
}


@pytest.mark.parametrize("code", BOMBS.values(), ids=BOMBS)
def test_code_that_would_take_all_memory_or_time_is_analysed(code: str) -> None:
    assert scan(app=code).coverage[0].state is not CoverageState.FAILED
    indented = "".join(f"    {line}\n" for line in code.splitlines())
    assert scan(app=wrap_in_view(indented)).coverage[0].state is not CoverageState.FAILED


def test_a_long_chain_of_operators_ends_as_scanned_or_unknown() -> None:
    states = {scan(app="x = " + "+".join(["a"] * length)).coverage[0].state for length in (2000, 200_000)}
    assert states <= {CoverageState.SCANNED, CoverageState.FAILED, CoverageState.PARTIAL}


def test_a_function_over_budget_is_partial_and_named() -> None:
    result = scan(app="import os\ndef long(x):\n" + "    x = os.system(x)\n" * 10_000)
    (line,) = result.coverage
    assert line.state is CoverageState.PARTIAL
    assert "`long`" in line.because


def test_nothing_of_the_analysed_code_is_imported() -> None:
    name = "muniment_tests_analysed_module"
    scan(app=f"import {name}\nfrom {name} import x\nx()\n", **{name: "raise SystemExit(1)\n"})
    assert name not in sys.modules


def test_the_result_does_not_depend_on_the_order_of_files() -> None:
    helper = "import os\ndef run(x):\n    os.system(x)\n"
    code = wrap_in_view("    from helper import run\n    run(request.args['q'])\n")
    assert scan(app=code, helper=helper) == scan(helper=helper, app=code)
    assert len(find("command-injection", app=code, helper=helper)) == 1
