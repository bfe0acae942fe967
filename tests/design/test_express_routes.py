"""Routes and guards of Express applications are found by parsing."""

import pytest

from muniment.design.routes.registry import find_frameworks, read_routes
from muniment.design.routes.route import Route, RouteList

GUARDS = """
const { verify } = require('./session');
async function requireUser(req, res, next) {
  if (!(await verify(req))) return res.status(401).send({ reason: 'unauthorized' });
  next();
}
const requireRole = (role) => (req, res, next) => {
  if (req.user.role !== role) return next(new ForbiddenError());
  next();
};
const exempt = (req, res, next) => {
  if (req.path.startsWith('/open')) return next();
  if (!req.user) return res.sendStatus(401);
  next();
};
const log = (req, res, next) => { console.log(req.url); next(); };
const wrap = (handler) => (req, res, next) => handler(req, res).catch(next);
module.exports = { requireUser, requireRole, exempt, log, wrap };
"""
HEAD = "const express = require('express'); const guards = require('./guards');\nconst app = express();\n"
SHOW = "(req, res) => { res.json({}) }"


def read(main: str, **others: str) -> RouteList:
    """Routes of a project whose application stands in `app.js`."""
    files = {"app.js": HEAD + main, "guards.js": GUARDS} | {
        name.replace("_js", ".js"): text for name, text in others.items()
    }
    return read_routes("express", files)


def list_guards(found: RouteList) -> dict[str, list[str]]:
    """Names of the certain guards of each route, without the file."""

    def short(route: Route) -> list[str]:
        return [guard.name.rpartition(":")[2] for guard in route.guards if guard.is_certain]

    return {route.name: short(route) for route in found.routes}


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (f"app.get('/a', {SHOW});", {"GET /a": []}),
        (f"app.get('/a', guards.requireUser, {SHOW});", {"GET /a": ["requireUser"]}),
        (f"app.get('/a', guards.log, {SHOW});", {"GET /a": []}),
        (f"app.get('/a', [guards.log, guards.requireUser], {SHOW});", {"GET /a": ["requireUser"]}),
        (f"app.get('/a', guards.requireRole('admin'), {SHOW});", {"GET /a": ["requireRole('admin')"]}),
        (f"app.get('/a', guards.wrap({SHOW}));", {"GET /a": []}),
        (f"app.get(['/a', '/b'], {SHOW});", {"GET /a": [], "GET /b": []}),
        # a guard stands before what is registered after it, below its path
        (f"app.use(guards.requireUser); app.get('/a', {SHOW});", {"GET /a": ["requireUser"]}),
        (f"app.get('/a', {SHOW}); app.use(guards.requireUser);", {"GET /a": []}),
        (f"app.use('/a', guards.requireUser); app.get('/a/b', {SHOW});", {"GET /a/b": ["requireUser"]}),
        (f"app.use('/a', guards.requireUser); app.get('/ab', {SHOW});", {"GET /ab": []}),
        (f"app.all('/a/*', guards.requireUser); app.post('/a/b', {SHOW});", {"POST /a/b": ["requireUser"]}),
        (f"app.use(guards.exempt); app.get('/a', {SHOW});", {"GET /a": []}),
        # a nameless guard, and one in the handler itself
        (
            "app.use((req, res, next) => { if (!req.user) return res.sendStatus(403); next(); });"
            f"app.get('/a', {SHOW});",
            {"GET /a": ["if !req.user"]},
        ),
        (
            "app.get('/a', (req, res) => { if (!req.user) { res.status(401).end(); return; } res.json({}); });",
            {"GET /a": ["if !req.user"]},
        ),
        ("app.get('/a', (req, res) => { res.json(1); if (!req.user) { res.status(401).end(); } });", {"GET /a": []}),
        # a chain of one path, a list, and a setting that is no route
        (
            f"app.route('/a').all(guards.requireUser).get({SHOW}).post({SHOW});",
            {"GET /a": ["requireUser"], "POST /a": ["requireUser"]},
        ),
        (f"['/x', '/y'].forEach((path) => app.get(path, {SHOW}));", {"GET /x": [], "GET /y": []}),
        ("app.get('port');", {}),
        ("app.use((req, res, next) => { res.status(404).end(); });", {}),
        ("app.get('/a', (req, res) => { if (!find(req)) res.status(404); res.json({}); });", {"GET /a": []}),
        (f"if (process.env.DEBUG) {{ app.get('/debug', {SHOW}); }}", {"GET /debug": []}),
        ("app.use('/files', express.static('files'));", {"* /files": []}),
    ],
)
def test_guards_stand_before_what_follows_them(main: str, expected: dict[str, list[str]]) -> None:
    assert list_guards(read(main)) == expected


def test_applications_and_routers_are_read_inside_each_other() -> None:
    found = read(
        "app.use('/api', guards.requireUser, require('./api')); app.use('/open', require('./open'));"
        "const list = [{ path: '/one', router: require('./one') }];"
        "list.forEach((each) => app.use(each.path, each.router)); require('./more')(app);",
        api_js="const { Router } = require('express'); const router = Router(); const inner = require('express')();\n"
        f"inner.get('/deep', {SHOW}); router.use('/in', inner); router.get('/', {SHOW}); module.exports = router;",
        open_js=f"import express from 'express'; const app = express(); app.get('/x', {SHOW}); export default app;",
        one_js=f"const r = require('express').Router(); r.delete('/:id', {SHOW}); module.exports = r;",
        more_js=f"module.exports = (app) => {{ app.put('/more', {SHOW}); }};",
    )
    assert list_guards(found) == {
        "GET /api/": ["requireUser"],
        "GET /api/in/deep": ["requireUser"],
        "GET /open/x": [],
        "DELETE /one/:id": [],
        "PUT /more": [],
    }
    assert not found.unread


def test_routes_of_classes_and_of_typescript_are_read() -> None:
    code = """
import express, { Express } from 'express';
import { Users } from './users.js';
class Server {
  app: Express = express();
  constructor() { this.app.get('/users', Users.guard.bind(this), Users.list.bind(this)); this.live(); }
  live() { this.app.ws('/live', (ws) => {}); }
}
"""
    users = """
class Users {
  guard(req: any, res: any, next: any) { if (!req.user) { return res.sendStatus(403); } next(); }
  list(req: any, res: any): void { res.json([]); }
}
const shared = new Users();
export { shared as Users };
"""
    files = {"src/server.ts": code, "src/users.ts": users}
    assert find_frameworks(files) == ("express",)
    assert list_guards(read_routes("express", files)) == {"GET /users": ["guard"], "WEBSOCKET /live": []}


def test_what_cannot_be_followed_is_unread() -> None:
    found = read(
        "fs.readdirSync('routes').forEach((name) => app.use(require('./routes/' + name)));",
        lost_js=f"const r = require('express').Router(); r.get('/lost', {SHOW}); module.exports = r;",
        broken_js="function (",
    )
    assert {each.where for each in found.unread} == {"app.js:3", "lost.js:1", "broken.js"}
    assert not found.routes


def test_a_switch_is_named_and_a_guard_behind_one_is_not_certain() -> None:
    found = read(f"if (config.auth) {{ app.use(guards.requireUser); }}\nif (config.beta) app.get('/a', {SHOW});")
    assert [(route.switch, [guard.is_certain for guard in route.guards]) for route in found.routes] == [
        ("config.beta", [False])
    ]
