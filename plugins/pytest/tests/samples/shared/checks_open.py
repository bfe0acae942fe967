"""Twelve checks that fail open, each in another way. `# open N` marks the place."""

import contextlib
import traceback
from concurrent.futures import ThreadPoolExecutor

import services
from services import ask_3, ask_9  # imported by name on purpose

CONSENT = {}
POOL = ThreadPoolExecutor(1)


def check_1(user):
    try:
        return services.ask_1(user)
    except Exception:  # open 1
        return True


def check_2(user):
    try:
        if not services.ask_2(user):
            return False
    except KeyError:
        return False
    except TimeoutError:  # open 2
        pass
    return True


def check_3(user):
    return ask_3(user) is not False  # open 3


def check_4(user):
    return services.ask_4(user) != "guest"  # open 4


def check_5(user):
    with contextlib.suppress(OSError):  # open 5
        if not services.ask_5(user):
            return False
    return True


def check_6(user):
    allowed = True
    try:
        allowed = services.ask_6(user)
    finally:
        return allowed  # open 6


def check_7(user):
    try:
        enforced = services.ask_7()
    except Exception:  # open 7
        enforced = False
    return user == "admin" if enforced else True


def check_8(user):
    try:
        return not services.ask_8(user)
    except ConnectionError:  # open 8
        return True


def check_9(user):
    try:
        CONSENT[user] = ask_9(user)
    except Exception:  # open 9
        pass
    return CONSENT.get(user, True)


def check_10(user):
    try:
        return POOL.submit(services.ask_10, user).result(timeout=0.2)
    except TimeoutError:  # open 10
        return True
    except Exception:
        return False


def place_order(user):
    connection = services.connect()
    services.add_order(connection, user)  # open 11: the row stays when the question fails
    if not services.ask_11(user):
        connection.execute("DELETE FROM orders WHERE owner = ?", (user,))
        return False
    return True


def check_12(user):
    """True, or the text of the refusal."""
    try:
        return services.Policy().ask_12(user) or "refused"
    except Exception:
        return traceback.format_exc()  # open 12
