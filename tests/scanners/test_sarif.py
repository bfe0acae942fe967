"""SARIF: each finding has its rule, tags, place, path and fingerprint; each file that is unknown is listed."""

from typing import Any

from muniment.scanners.findings import ScanResult
from muniment.scanners.sarif import build_sarif
from tests.scanners.scanning import scan, wrap_in_view


def build_run(result: ScanResult) -> Any:
    document: Any = build_sarif([result], "1.0")
    assert document["version"] == "2.1.0"
    return document["runs"][0]


def test_a_finding_has_tags_a_place_a_path_and_a_fingerprint() -> None:
    result = scan(app=wrap_in_view("    q = request.args['q']\n    os.system(q)\n"))
    run = build_run(result)
    (found,) = run["results"]
    rule = run["tool"]["driver"]["rules"][found["ruleIndex"]]
    assert rule["id"] == found["ruleId"] == "command-injection"
    assert {"external/cwe/cwe-078", "external/owasp/A03:2021", "external/owasp/A05:2025"} <= set(
        rule["properties"]["tags"]
    )
    assert found["level"] == "error"
    assert found["partialFingerprints"] == {"muniment/v1": result.findings[0].fingerprint}
    assert found["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "app.py"}
    assert len(found["codeFlows"][0]["threadFlows"][0]["locations"]) == 3
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_a_file_that_is_unknown_ends_the_success() -> None:
    run = build_run(scan(a="x = (", ü="y = 1"))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "a.py" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    assert [one["location"]["uri"] for one in run["artifacts"]] == ["a.py", "%C3%BC.py"]
