"""Sets Django up for a process, and lets go of its connections: the command line itself does not know Django."""

import os


def set_up_django(settings: str) -> None:
    """Load the apps by the settings in a module. The environment has what they read."""
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    import django

    django.setup()


def close_django_connections() -> None:
    """Close this process' connections to the database: those that it starts open their own."""
    from django.db import connections

    connections.close_all()
