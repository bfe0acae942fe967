"""SARIF in the shapes in which four tools write it: members and their order are theirs, texts are ours."""

import json

Object = dict[str, object]
SOURCE_ROOT = "%SRCROOT%"


def place(uri: str, line: int, **more: object) -> Object:
    region: Object = {"startLine": line, "startColumn": 3, "endColumn": 20, **more}
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": SOURCE_ROOT}, "region": region}}


def codeql() -> Object:
    """Rules in an extension, artifacts with an index, fingerprints by line and column."""
    artifacts = [
        {"location": {"uri": uri, "uriBaseId": SOURCE_ROOT, "index": number}}
        for number, uri in enumerate(("src/orders.js", "src/pages/index.js"))
    ]
    location = place("src/orders.js", 14)
    location["physicalLocation"]["artifactLocation"]["index"] = 0  # type: ignore[index]
    return {
        "tool": {
            "driver": {"name": "CodeQL", "organization": "GitHub", "semanticVersion": "2.19.3"},
            "extensions": [
                {
                    "name": "codeql/javascript-queries",
                    "semanticVersion": "1.2.0",
                    "rules": [
                        {
                            "id": "js/sql-injection",
                            "name": "js/sql-injection",
                            "shortDescription": {"text": "A statement is built from input"},
                            "defaultConfiguration": {"enabled": True, "level": "error"},
                            "properties": {
                                "tags": ["security", "external/cwe/cwe-089", "external/cwe/cwe-943"],
                                "kind": "path-problem",
                                "precision": "high",
                                "problem.severity": "error",
                                "security-severity": "8.8",
                            },
                        }
                    ],
                }
            ],
        },
        "artifacts": artifacts,
        "results": [
            {
                "ruleId": "js/sql-injection",
                "rule": {"id": "js/sql-injection", "index": 0, "toolComponent": {"index": 0}},
                "message": {"text": "The statement depends on [a value of the request](1)."},
                "locations": [location],
                "partialFingerprints": {
                    "primaryLocationLineHash": "39fa2ee980eb94b0:1",
                    "primaryLocationStartColumnFingerprint": "4",
                },
                "codeFlows": [{"threadFlows": [{"locations": []}]}],
                "relatedLocations": [{"id": 1, **place("src/orders.js", 9)}],
            }
        ],
        "columnKind": "utf16CodeUnits",
        "properties": {"semmle.formatSpecifier": "sarif-latest"},
    }


def semgrep() -> Object:
    """No artifacts; every fingerprint is the same text; weaknesses stand in tags; a suppressed result."""

    def result(line: int, code: str, **more: object) -> Object:
        return {
            "fingerprints": {"matchBasedId/v1": "requires login"},
            "locations": [place("shop/views.py", line, snippet={"text": code})],
            "message": {"text": "Input reaches a command line."},
            "properties": {},
            "ruleId": "python.lang.command-line",
            **more,
        }

    return {
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": []}],
        "results": [
            result(7, "  os.system(a)"),
            result(9, "  os.system(b)  # nosemgrep", suppressions=[{"kind": "inSource"}]),
        ],
        "tool": {
            "driver": {
                "name": "Semgrep OSS",
                "semanticVersion": "1.140.0",
                "rules": [
                    {
                        "id": "python.lang.command-line",
                        "defaultConfiguration": {"level": "error"},
                        "properties": {
                            "precision": "very-high",
                            "tags": ["CWE-78: Commands of the system", "HIGH CONFIDENCE", "OWASP-A05:2025", "security"],
                        },
                    }
                ],
            }
        },
    }


def trivy() -> Object:
    """No invocation, an absolute base, scores as texts, 0.0 for what it does not know."""

    def rule(name: str, score: str, level: str) -> Object:
        return {
            "id": name,
            "name": "LanguageSpecificPackageVulnerability",
            "shortDescription": {"text": f"{name} of a package"},
            "defaultConfiguration": {"level": level},
            "properties": {"precision": "very-high", "security-severity": score, "tags": ["vulnerability", "security"]},
        }

    def result(index: int, name: str, level: str) -> Object:
        where = {"uri": "web/package-lock.json", "uriBaseId": "ROOTPATH"}
        return {
            "ruleId": name,
            "ruleIndex": index,
            "level": level,
            "message": {"text": f"Package: a\nInstalled Version: 1.{index}\nFixed Version: 2"},
            "locations": [{"physicalLocation": {"artifactLocation": where, "region": {"startLine": 10 + index}}}],
        }

    return {
        "tool": {
            "driver": {
                "fullName": "Trivy Vulnerability Scanner",
                "name": "Trivy",
                "version": "0.68.1",
                "rules": [rule("CVE-2026-0001", "9.8", "error"), rule("CVE-2026-0002", "0.0", "note")],
            }
        },
        "results": [result(0, "CVE-2026-0001", "error"), result(1, "CVE-2026-0002", "note")],
        "columnKind": "utf16CodeUnits",
        "originalUriBaseIds": {"ROOTPATH": {"uri": "file:///"}},
    }


def zap() -> Object:
    """Addresses instead of files, weaknesses by a taxonomy, the request beside the result."""
    return {
        "tool": {
            "driver": {
                "name": "ZAP",
                "version": "2.16.0",
                "rules": [
                    {
                        "id": "10038",
                        "shortDescription": {"text": "A header is missing"},
                        "relationships": [
                            {
                                "target": {"id": "693", "toolComponent": {"name": "CWE", "guid": "b8c54a32"}},
                                "kinds": ["superset"],
                            }
                        ],
                    }
                ],
            }
        },
        "taxonomies": [{"name": "CWE", "taxa": [{"id": "693"}]}],
        "results": [
            {
                "level": "warning",
                "ruleId": "10038",
                "message": {"text": "The answer has no policy for contents."},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": "https://ada@staging.shop.example/orders?token=abc#top"},
                            "region": {"startLine": 1},
                        },
                        "properties": {"attack": ""},
                    }
                ],
                "webRequest": {"method": "GET"},
            }
        ],
    }


def write(*runs: object, version: str = "2.1.0") -> bytes:
    return json.dumps(
        {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": version, "runs": runs}
    ).encode()
