"""The twelve checks, none of which fails open."""

from concurrent.futures import ThreadPoolExecutor

import services
from services import ask_3, ask_9

POOL = ThreadPoolExecutor(1)


def denied_on_failure(question, *arguments):
    try:
        return question(*arguments)
    except Exception:
        return None


def check_1(user): return denied_on_failure(services.ask_1, user) is True
def check_2(user): return denied_on_failure(services.ask_2, user) is True
def check_3(user): return denied_on_failure(ask_3, user) is True
def check_4(user): return denied_on_failure(services.ask_4, user) == "admin"
def check_5(user): return denied_on_failure(services.ask_5, user) is True
def check_6(user): return denied_on_failure(services.ask_6, user) is True


def check_7(user):
    if denied_on_failure(services.ask_7) is False:
        return True
    return user == "admin" and denied_on_failure(services.ask_7) is True


def check_8(user): return denied_on_failure(services.ask_8, user) is False
def check_9(user): return denied_on_failure(ask_9, user) is True


def check_10(user):
    try:
        return POOL.submit(services.ask_10, user).result(timeout=0.2) is True
    except Exception:
        return False


def place_order(user):
    connection = services.connect()
    connection.execute("BEGIN")
    try:
        services.add_order(connection, user)
        if services.ask_11(user) is not True:
            raise PermissionError
        connection.execute("COMMIT")
    except Exception:
        connection.execute("ROLLBACK")
        return False
    return True


def check_12(user):
    if denied_on_failure(services.Policy().ask_12, user) is True:
        return True
    return "refused"
