"""For a supervisor: whether this process answers, and whether the service works."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

_ALIVE = """
    SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds'
"""


def health(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """The database answers, and a worker has shown a sign of life; 503 and what is missing if not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_ALIVE)
            (workers,) = cursor.fetchone() or (0,)
    except DatabaseError:
        return JsonResponse({"status": "no", "missing": "database"}, status=503)
    if not workers:
        return JsonResponse({"status": "no", "missing": "worker"}, status=503)
    return JsonResponse({"status": "ok"})
