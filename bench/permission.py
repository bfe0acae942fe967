"""python -m bench.permission: how long a pipeline waits for permission to deploy, from its request to the answer.

The web's and the worker's part run one after the other in this process, on the PostgreSQL that comes with Muniment;
what the queue adds between them is `bench.running`'s to measure.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Row, table

if TYPE_CHECKING:
    from tests.support.deploying import Shop

TIMES = 40


def main() -> None:
    """Measure it and print the table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sys.stdout.write(table([_row(Path(folder))]) + "\n")


def _row(folder: Path) -> Row:
    from muniment.server.running import database_settings
    from muniment.server.running.installation_folder import make_installation_folder

    home = folder / "home"
    make_installation_folder(home)
    os.environ |= {"MUNIMENT_HOME": str(home), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    with database_settings.embedded_server(home):
        import django

        django.setup()
        from django.db import connection

        from muniment.server.api import deployments
        from muniment.server.running import preparation
        from tests.support.service import as_role

        deployments.WAIT_SECONDS = 0.0  # no worker comes: this process is it
        preparation.migrate_schema()
        with as_role("operator"):  # the sequencer accepts a policy of no other process
            preparation.apply_first_policy()
        from tests.support.deploying import Shop

        taken = _asked(Shop(folder))
        connection.close()
    median, late = statistics.median(taken) * 1000, statistics.quantiles(taken, n=20)[-1] * 1000
    what = f"permission to deploy, {TIMES} asked for one after another"
    return Row(what, f"{median:.0f} ms; p95 {late:.0f} ms", "none", "", "")


def _asked(shop: "Shop") -> list[float]:
    """Seconds of each. Every one is of an artifact of its own."""
    taken: list[float] = []
    for number in range(TIMES):
        artifact = f"sha256:{number:064x}"
        made = [shop.provenance(artifact)]
        start = time.perf_counter()
        asked = shop.asked("staging", artifact=artifact, provenance=made)
        shop.get(asked, "staging")
        taken.append(time.perf_counter() - start)
        if shop.state(asked) != "allowed":
            raise AssertionError(f"it was not allowed: {shop.codes(asked)}")
    return taken


if __name__ == "__main__":
    main()
