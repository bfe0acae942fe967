"""python -m bench.running: how soon `muniment up` begins a task, and what it takes while nothing happens."""

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench.measure import Row, table
from bench.processor_time import measure_tree
from tests.support.repos import Repo
from tests.support.running import Up, until

TASKS = 200
_BEGUN = """
    SELECT extract(epoch FROM started.at - deferred.at)
    FROM procrastinate_events started JOIN procrastinate_events deferred USING (job_id)
    JOIN procrastinate_jobs job ON job.id = started.job_id
    WHERE started.type = 'started' AND deferred.type = 'deferred' AND job.args ->> 'ref' LIKE 'refs/heads/bench-%%'
"""
_WAITING = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.running", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="How long to watch. Default: 60.")
    seconds: int = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder) / "home"
        repo = Repo(Path(folder) / "shop")
        repo.commit({"app.py": "x = 1\n"})
        up = Up(home, repo.path)
        try:
            _connect(home)
            until(lambda: _one(_WAITING) == 0)
            time.sleep(5)  # what starting set off is over
            rows = [_idle(up.process.pid, seconds), _latency()]
        finally:
            up.end()
    sys.stdout.write(table(rows) + "\n")


def _connect(home: Path) -> None:
    os.environ |= {"MUNIMENT_HOME": str(home), "MUNIMENT_ROLE": "owner", "MUNIMENT_URL": "http://localhost:8000"}
    os.environ["DJANGO_SETTINGS_MODULE"] = "muniment.server.settings"
    import django

    django.setup()


def _one(query: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query)
        (found,) = cursor.fetchone() or (0,)
    return int(found)


def _idle(pid: int, seconds: int) -> Row:
    """The time of processors that the whole tree takes, PostgreSQL with it."""
    before = measure_tree(pid)
    time.sleep(seconds)
    share = (measure_tree(pid) - before) / seconds
    return Row(f"{seconds} s of an idle `muniment up`", f"{share * 100:.1f} % of one core", "none", "", "")


def _latency() -> Row:
    """From the moment that a task is put off to the moment that a worker begins it, as the queue itself notes them."""
    from django.db import connection

    from muniment.server.job_queue import enqueue

    pause = timedelta(milliseconds=40).total_seconds()
    for number in range(TASKS):
        enqueue("evaluate-change", repository=0, ref=f"refs/heads/bench-{number}")
        time.sleep(pause)
    until(lambda: _one(_WAITING) == 0)
    with connection.cursor() as cursor:
        cursor.execute(_BEGUN)
        taken = [float(row[0]) * 1000 for row in cursor.fetchall()]
    connection.close()
    median, late = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    what = f"a task from its enqueuing to its start, {len(taken)} of them one after another"
    return Row(what, f"{median:.1f} ms; p95 {late:.1f} ms", "none", "", "")


if __name__ == "__main__":
    main()
