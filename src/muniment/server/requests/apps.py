"""Registers what executes acts, and what compares rows and lifts of freezes with what two persons signed."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """The app."""

    name = "muniment.server.requests"

    def ready(self) -> None:
        """Provide the execution of acts, and the checks of signatures."""
        from muniment.server.acts.execution import register_executor
        from muniment.server.people.waiting_requests import register_waiting_requests
        from muniment.server.records.row_checks import use_proof_check
        from muniment.server.records.store import use_lift_check
        from muniment.server.requests.executor import RequestExecutor
        from muniment.server.requests.lifted_freezes import is_lift_proven
        from muniment.server.requests.proven_rows import find_unproven
        from muniment.server.requests.waiting import StoredRequests

        register_executor(RequestExecutor())
        register_waiting_requests(StoredRequests())
        use_proof_check(find_unproven)
        use_lift_check(is_lift_proven)
