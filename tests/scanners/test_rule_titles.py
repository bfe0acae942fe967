"""Every rule has a title in plain words, and a correction changes the code that its rule reports."""

import pytest

from muniment.scanners.corrections import correct_snippet, split_remedy
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.rule_titles import find_rules_by_title, find_title, load_titles


def test_every_rule_has_a_title_of_its_own() -> None:
    assert {rule for rule in load_own_rules() if find_title(rule) == rule} == set()
    known = load_own_rules().keys()
    assert {rule for rule in load_titles() if rule not in known} == set()
    assert all(title[0].isupper() and title[-1] != "." and len(title) < 60 for title in load_titles().values())


def test_other_rules_keep_their_words() -> None:
    assert find_title("zizmor/unpinned-uses") == "Pipeline file: unpinned uses"
    assert find_title("py/sql-injection") == "py/sql-injection"
    assert {"weak-hash", "js-weak-hash"} <= set(find_rules_by_title("weak HASH"))


@pytest.mark.parametrize(
    ("rule", "snippet", "corrected"),
    [
        ("weak-hash", "digest = hashlib.md5(data)", "digest = hashlib.sha256(data)"),
        ("js-weak-hash", "createHash('md5').update(x)", "createHash('sha256').update(x)"),
        ("certificate-not-verified", "requests.get(url, verify=False)", "requests.get(url, verify=True)"),
        (
            "sql-injection",
            """cursor.execute(f"SELECT a FROM t WHERE n = '{name}'")""",
            """cursor.execute("SELECT a FROM t WHERE n = %s", (name,))""",
        ),
        ("sql-injection", """cursor.execute(f"SELECT a FROM {table} WHERE n = {name}")""", ""),
        ("unsafe-deserialization", "yaml.load(x, Loader=yaml.Loader)", "yaml.load(x, Loader=yaml.SafeLoader)"),
        ("file-writable-by-all", "os.chmod(path, 0o777)", "os.chmod(path, 0o700)"),
        ("weak-random", "token = random.choice(letters)", "token = secrets.choice(letters)"),
        ("path-traversal", "open(name)", ""),
        ("py/unknown", "verify=False", ""),
    ],
)
def test_the_code_of_the_place_is_corrected_or_left(rule: str, snippet: str, corrected: str) -> None:
    assert correct_snippet(rule, snippet) == corrected


def test_a_remedy_has_text_and_code() -> None:
    remedy = "Use it:\n    a = 1\n\n    b = 2\nOr not."
    assert split_remedy(remedy) == [("Use it:", False), ("a = 1\n\nb = 2", True), ("Or not.", False)]
