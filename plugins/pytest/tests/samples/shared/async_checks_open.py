"""Checks of the sample that wait for an answer, and fail open."""

import asyncio
import contextlib

import services
from checks_open import *  # noqa: F403


async def ask_1(user): return services.ask_1(user)
async def ask_2(user): return services.ask_2(user)
async def ask_5(user): return services.ask_5(user)
async def ask_10(user): return services.ask_10(user)


async def check_1(user):
    try:
        return await ask_1(user)
    except Exception:  # open 1
        return True


async def check_2(user):
    try:
        if not await ask_2(user):
            return False
    except TimeoutError:  # open 2
        pass
    return True


async def check_5(user):
    with contextlib.suppress(OSError):  # open 5
        if not await ask_5(user):
            return False
    return True


async def check_10(user):
    try:
        return await asyncio.wait_for(ask_10(user), 0.2)
    except TimeoutError:  # open 10
        return True
    except Exception:
        return False
