"""What tests of scanners share: scanning texts, and the labelled suites."""

import tomllib
from pathlib import Path
from typing import NamedTuple

from muniment.scanners.findings import Finding, ScanResult, SourceFile
from muniment.scanners.python.analysis import scan_python

SUITES = Path(__file__).parent / "labelled"
VIEW = """import base64, hashlib, hmac, html, json, os, pickle, random, re, secrets, shlex, sqlite3, subprocess, uuid
import urllib.parse, urllib.request
import httpx, ldap, lxml.etree, requests, yaml
from flask import Flask, make_response, redirect, render_template_string, request, session
from pymongo import MongoClient as mongo
app = Flask(__name__)
db = sqlite3.connect("x.db")
root = lxml.etree.parse("x.xml")
ldap_connection = ldap.initialize("ldap://x")
@app.route("/view", methods=["GET", "POST"])
def view():
"""


class Case(NamedTuple):
    """One labelled piece of code."""

    rule: str
    bad: bool
    code: str


def scan(**files: str) -> ScanResult:
    """Scan files given as `app__views="..."` for `app/views.py`."""
    sources = [SourceFile(name.replace("__", "/") + ".py", text.encode()) for name, text in files.items()]
    return scan_python(sources)


def find(rule: str, **files: str) -> list[Finding]:
    """The findings of one rule."""
    return [finding for finding in scan(**files).findings if finding.rule == rule]


def wrap_in_view(body: str) -> str:
    """A Flask application with one view of this body."""
    return VIEW + body.strip("\n") + "\n    return {}\n"


def read_suite(name: str) -> list[Case]:
    """The cases of a labelled suite."""
    cases = tomllib.loads((SUITES / f"{name}.toml").read_text(encoding="utf-8"))["case"]
    return [
        Case(one["rule"], one["bad"], one["code"].lstrip("\n") if one.get("form") else wrap_in_view(one["code"]))
        for one in cases
    ]
