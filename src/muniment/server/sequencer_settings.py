"""Settings of the sequencer: database, records and logs alone, so that it starts fast and has no key of the web."""

import os
from pathlib import Path

from muniment.server import logs
from muniment.server.running import database_settings

HOME = Path(os.environ.get("MUNIMENT_HOME", ".")).absolute()
INSTALLED_APPS = ["muniment.server.records.apps.RecordsAlone"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_ROLE = database_settings.read_role(os.environ)
DATABASES = {"default": database_settings.make_django_settings(HOME, os.environ)}
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = logs.build_log_settings(os.environ.get("MUNIMENT_LOG", ""))
