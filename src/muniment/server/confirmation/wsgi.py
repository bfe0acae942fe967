"""WSGI entry point of the confirmation process, for its web server."""

import os

from django.core.wsgi import get_wsgi_application

from muniment.server.running.process_parent import PARENT, end_with_parent

if PARENT in os.environ and os.environ[PARENT] != str(os.getpid()):
    end_with_parent(int(os.environ[PARENT]))  # granian's own process for requests would outlive it, on its port
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "muniment.server.confirmation_settings")
application = get_wsgi_application()
