"""WSGI entry point of the web process."""

import os

from django.core.wsgi import get_wsgi_application

from muniment.server.running.process_parent import PARENT, end_with_parent

_serves = PARENT in os.environ and os.environ[PARENT] != str(os.getpid())
if _serves:
    end_with_parent(int(os.environ[PARENT]))  # granian's own process for requests would outlive it, on its port
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "muniment.server.settings")
application = get_wsgi_application()
if _serves:
    from muniment.server.secrets.destroying import start_destroying

    start_destroying()
