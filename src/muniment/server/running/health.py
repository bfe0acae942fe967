"""For a supervisor: whether this process answers, and whether the service works."""

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, JsonResponse

_ALIVE = """
    SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds'
"""


@transaction.non_atomic_requests  # it answers without a database
def health(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


def workers_alive() -> int:
    """How many have shown a sign of life within a minute. Raises Django's DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE)
        (workers,) = cursor.fetchone() or (0,)
    return int(workers)


@transaction.non_atomic_requests  # and this one says that there is none
def ready(request: HttpRequest) -> JsonResponse:
    """The database answers, and a worker has shown a sign of life; 503 and what is missing if not."""
    try:
        workers = workers_alive()
    except DatabaseError:
        return JsonResponse({"status": "no", "missing": "database"}, status=503)
    if not workers:
        return JsonResponse({"status": "no", "missing": "worker"}, status=503)
    return JsonResponse({"status": "ok"})
