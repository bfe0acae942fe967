"""Checks of the sample that wait for an answer, and deny on every failure."""

import asyncio

import services
from checks_fixed import *  # noqa: F403


async def ask_1(user): return services.ask_1(user)
async def ask_2(user): return services.ask_2(user)
async def ask_5(user): return services.ask_5(user)
async def ask_10(user): return services.ask_10(user)


async def denied_on_failure(question, user):
    try:
        return await asyncio.wait_for(question(user), 0.2) is True
    except Exception:
        return False


async def check_1(user): return await denied_on_failure(ask_1, user)
async def check_2(user): return await denied_on_failure(ask_2, user)
async def check_5(user): return await denied_on_failure(ask_5, user)
async def check_10(user): return await denied_on_failure(ask_10, user)
