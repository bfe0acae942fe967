"""Has rows compared with what two persons signed."""

from django.apps import AppConfig


class RequestsConfig(AppConfig):
    """The app."""

    name = "muniment.server.requests"

    def ready(self) -> None:
        """Provide the check of signatures."""
        from muniment.server.records.row_checks import use_proof_check
        from muniment.server.requests.proven_rows import find_unproven

        use_proof_check(find_unproven)
