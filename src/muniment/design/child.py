"""Design reader child: it reads a request from its input, evaluates in this process, and writes the answer.

Started confined (`programs.confinement`): no network, little memory and time. Before it reads a byte of the request, it
evaluates a design of each framework, which loads every module that it needs, and then refuses itself every further
file, program and signal. The code that it is given is hostile; none of it is executed.
"""

import datetime

import msgspec

from muniment.design.product_design import DesignAnswer, DesignRequest, RepositorySources, evaluate_request
from muniment.design.routes.openapi_list import OPENAPI
from muniment.design.routes.registry import ROUTE_READERS
from muniment.programs.child_request import answer_one_request

_SAMPLE = """schema = 1
product = "sample"
owner = "nobody"
[[application]]
framework = "{}"
[[actor]]
id = "visitor"
[[component]]
id = "web"
[[flow]]
from = "visitor"
to = "web"
"""
_CODE = """from django.urls import path
from fastapi import FastAPI
from flask import Flask
app = Flask(__name__)
@app.get("/")
def index(): return ""
urlpatterns = [path("", index)]
"""
_SCRIPT = "const app = require('express')(); app.get('/', guard, (req, res) => res.json({}));"
_SCRIPTS = ("app.js", "app.ts", "app.tsx")  # each has a grammar of its own


def load_readers() -> None:
    """Load all that the readers need, by evaluating a design of each framework."""
    for framework in (*ROUTE_READERS, OPENAPI):
        repository = RepositorySources(
            "sample",
            _SAMPLE.format(framework),
            {"urls.py": _CODE, "broken.py": "(", "openapi.json": "{}"} | dict.fromkeys(_SCRIPTS, _SCRIPT),
        )
        answer = evaluate_request(DesignRequest(datetime.date(2026, 1, 1), (repository,), (repository,)))
        msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=DesignAnswer)


def answer_design_request() -> int:
    """Answer the request at standard input; `NO_CHILD` if files could not be refused before it is read."""
    return answer_one_request(DesignRequest, load_readers, evaluate_request)


if __name__ == "__main__":
    raise SystemExit(answer_design_request())
