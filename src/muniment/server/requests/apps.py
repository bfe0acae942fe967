"""Registers what executes acts, and what compares rows with what two persons signed."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """The app."""

    name = "muniment.server.requests"

    def ready(self) -> None:
        """Provide the execution of acts, and the check of signatures."""
        from muniment.server.acts.execution import register_executor
        from muniment.server.records.row_checks import use_proof_check
        from muniment.server.requests.executor import RequestExecutor
        from muniment.server.requests.proven_rows import find_unproven

        register_executor(RequestExecutor())
        use_proof_check(find_unproven)
