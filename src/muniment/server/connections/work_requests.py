"""Stores who asked a machine to work on a change: the comment that asked can be deleted, and who asked stays."""

import msgspec
from django.db import transaction
from msgspec import structs

from muniment.facts.maybe import Known, Unknown
from muniment.forges.shapes import ForgeContributor, Reading
from muniment.server.connections.forge_change_store import lock_change
from muniment.server.products.models import Repository


def add_earlier_requests(repository: Repository, reading: Reading) -> Reading:
    """The reading with all requests that earlier readings of the change had. Those that are new are stored."""
    if isinstance(reading.contributors, Unknown):
        return reading
    requests = [one for one in reading.contributors.value if one.asked is not None]
    with transaction.atomic():
        row = lock_change(repository, reading.change.number)  # two readings at once lose no request
        if row is None:
            return reading
        earlier = msgspec.convert(row.work_requests, list[ForgeContributor])
        new = [one for one in requests if one not in earlier]
        if new:
            row.work_requests = msgspec.to_builtins([*earlier, *new])
            row.save(update_fields=["work_requests"])
    gone = [one for one in earlier if one not in requests]
    return structs.replace(reading, contributors=Known((*reading.contributors.value, *gone))) if gone else reading
