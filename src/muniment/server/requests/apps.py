"""Registers the executor of acts, the checks of rows and lifts of freezes against the signatures of two persons, and
whose approvals are suspended.
"""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """App configuration that registers the executor and the checks."""

    name = "muniment.server.requests"

    def ready(self) -> None:
        """Provide the execution of acts, and the checks of signatures."""
        from muniment.server.acts.execution import register_executor
        from muniment.server.incidents.closings import find_suspended_people
        from muniment.server.people.models import register_suspension
        from muniment.server.people.waiting_requests import register_waiting_requests
        from muniment.server.records.postgres_store import register_lift_check
        from muniment.server.records.row_checks import register_proof_check
        from muniment.server.requests.executor import RequestExecutor
        from muniment.server.requests.lifted_freezes import is_lift_proven
        from muniment.server.requests.proven_rows import find_unproven_rows
        from muniment.server.requests.waiting import StoredRequests

        register_executor(RequestExecutor())
        register_waiting_requests(StoredRequests())
        register_proof_check(find_unproven_rows)
        register_lift_check(is_lift_proven)
        register_suspension(find_suspended_people)
