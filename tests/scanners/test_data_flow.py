"""Data flow: input is followed through files, objects and checks, and a finding shows the way."""

import pytest

from muniment.scanners.findings import Confidence, Severity
from tests.scanners.scanning import find, wrap_in_view

HELPER = "import os\n\nclass Runner:\n    def __init__(self, shell):\n        self.shell = shell\n"
HELPER += "    def run(self, text):\n        os.system(self.shell + text)\n"


def test_input_is_followed_into_another_file_and_the_finding_shows_each_step() -> None:
    view = wrap_in_view("    from app.helpers import Runner\n    q = request.args['q']\n    Runner('sh -c ').run(q)\n")
    (finding,) = find("command-injection", app__views=view, app__helpers=HELPER, app____init__="")
    assert finding.location.path == "app/helpers.py"
    assert finding.severity is Severity.CRITICAL
    assert finding.confidence is Confidence.HIGH
    assert [(step.location.path, step.text) for step in finding.steps] == [
        ("app/views.py", "query parameter"),
        ("app/views.py", "assignment to `q`"),
        ("app/views.py", "call of `run`"),
        ("app/helpers.py", "use"),
    ]
    assert "Requirement not met" in finding.message


def test_a_check_in_another_file_is_understood() -> None:
    checks = "import re\ndef is_name(text):\n    return re.fullmatch('[a-z]+', text) is not None\n"
    body = "    from checks import is_name\n    q = request.args['q']\n    if {}is_name(q):\n        os.system(q)\n"
    assert not find("command-injection", app=wrap_in_view(body.format("")), checks=checks)
    assert find("command-injection", app=wrap_in_view(body.format("not ")), checks=checks)


def test_a_check_that_raises_is_understood() -> None:
    body = "    q = request.args['q']\n    check(q)\n    os.system('echo ' + q)\n"
    code = wrap_in_view(body)
    strict = code + "\ndef check(text):\n    if not text.isalnum():\n        raise ValueError\n"
    loose = code + "\ndef check(text):\n    if not text.isalnum():\n        print('odd')\n"
    assert not find("command-injection", app=strict)
    assert find("command-injection", app=loose)


@pytest.mark.parametrize(
    ("statement", "reported"),
    [
        ("values = ['a', q]; values.insert(0, 'b'); x = values[2]", True),
        ("values = ['a', q]; values.insert(0, 'b'); x = values[1]", False),
        ("values = {'a': q}; values['a'] = 'b'; x = values['a']", False),
        ("x = (lambda a, b: b)('a', q)", True),
        ("x = (lambda a, b: a)('a', q)", False),
        ("x = q if False else 'a'", False),
        ("x = next(iter([q]))", True),
        ("x, y = 'a', q", False),
        ("y, x = 'a', q", True),
        ("x = ''.join(c for c in q if c.isalnum())", False),
        ("x = q[0:5]; x = x.upper().lower()", False),
        ("x = str(len(q))", False),
        ("x = {'a': 'b'}.get(q, 'c')", False),
        ("x = '%(a)s' % {'a': q}", True),
        ("import configparser; c = configparser.ConfigParser(); c.set('s', 'k', q); x = c.get('s', 'k')", True),
        ("import configparser; c = configparser.ConfigParser(); c.set('s', 'k', q); x = c.get('s', 'l')", False),
        ("x = json.loads(q)['a']", True),
        ("x = unknown_library.convert(q)", True),
    ],
)
def test_a_value_is_followed_through(statement: str, reported: bool) -> None:
    lines = "".join(f"    {part}\n" for part in statement.split("; "))
    code = wrap_in_view("    q = request.args['q']\n" + lines + "    os.system('echo ' + x)\n")
    assert bool(find("command-injection", app=code)) is reported


def test_input_of_the_command_line_is_of_low_severity() -> None:
    (finding,) = find("command-injection", app="import os, sys\nos.system('ls ' + sys.argv[1])\n")
    assert finding.severity is Severity.LOW


def test_a_handler_that_a_factory_defines_is_an_entry_point() -> None:
    code = "import os\nfrom flask import Flask, request\ndef create():\n    app = Flask(__name__)\n"
    code += "    @app.route('/')\n    def view():\n        os.system(request.args['q'])\n    return app\n"
    assert find("command-injection", app=code)


def test_only_functions_that_a_urlconf_names_are_views() -> None:
    view = "import os\nfrom django.http import HttpResponse\ndef helper(request):\n    os.system(request.GET['q'])\n"
    assert find("command-injection", app=view)
    assert not find("command-injection", app=view, urls="urlpatterns = []\n")
    assert find("command-injection", app=view, urls="import app\nurlpatterns = [path('', app.helper)]\n")


def test_a_check_decides_between_the_values_that_a_name_may_have() -> None:
    body = "    q = request.args['a'] or request.args['b']\n    if {}:\n        q = '/'\n    os.system('echo ' + q)\n"
    assert not find("command-injection", app=wrap_in_view(body.format("q not in ('x', 'y')")))
    assert find("command-injection", app=wrap_in_view(body.format("q in ('x', 'y')")))


def test_a_response_that_is_no_page_needs_no_escaping() -> None:
    body = "    response = make_response('<b>' + request.args['q'])\n    {}\n    return response\n"
    assert find("cross-site-scripting", app=wrap_in_view(body.format("response.mimetype = 'text/html'")))
    for line in ("response.mimetype = 'text/plain'", "response.headers['Content-Type'] = 'application/json'"):
        assert not find("cross-site-scripting", app=wrap_in_view(body.format(line)))


def test_files_with_absolute_paths_are_scanned() -> None:
    assert find("weak-hash", **{"/srv/app": "import hashlib, helpers\nhashlib.md5(b'')\n"})


def test_helpers_in_folders_without_init_are_followed() -> None:
    view = wrap_in_view("    import tools.shell.run\n    tools.shell.run.start(request.args['q'])\n")
    helper = "import os\ndef start(text):\n    os.system('ls ' + text)\n"
    assert find("command-injection", web__app=view, web__tools__shell__run=helper)
