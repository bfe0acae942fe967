"""Sample in FastAPI: guards as dependencies, synchronous and async, of routes, of a router and in a mounted app."""

import os

import async_checks
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException


def guarded(check):
    def require(x_user: str = Header("")):
        allowed = check(x_user)
        if allowed is not True:
            raise HTTPException(403, allowed or "refused")

    return Depends(require)


def guarded_async(check):
    async def require(x_user: str = Header("")):
        if not await check(x_user):
            raise HTTPException(403, "refused")

    return Depends(require)


class NoEscape:
    """Answers 500 to whatever leaves the application, without a trace in the server's log."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        try:
            await self.app(scope, receive, send)
        except Exception:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body", "body": b"failed"})


def make_view(number):
    async def view():
        return f"secret {number}"

    return view


router = APIRouter(prefix="", dependencies=[guarded(async_checks.check_7)])


@router.get("/7")
def view_7():
    return "secret 7"


def create():
    os.environ["SHOP_DATABASE"]
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(NoEscape)
    for number in (1, 2, 5, 10):
        guard = guarded_async(getattr(async_checks, f"check_{number}"))
        app.add_api_route(f"/{number}", make_view(number), dependencies=[guard])
    for number in (3, 4, 6, 12):
        guard = guarded(getattr(async_checks, f"check_{number}"))
        app.add_api_route(f"/{number}", make_view(number), dependencies=[guard], methods=["GET", "POST"])
    app.include_router(router)
    inner = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    for number in (8, 9):
        inner.add_api_route(f"/{number}", make_view(number), dependencies=[guarded(getattr(async_checks, f"check_{number}"))])

    @app.post("/11")
    def view_11(x_user: str = Header("")):
        if not async_checks.place_order(x_user):
            raise HTTPException(403, "refused")
        return "ordered"

    app.mount("/inner", inner)
    return app
