"""Settings of the sequencer: database, records and logs alone, so that it starts fast and has no key of the web."""

import os
from pathlib import Path

from muniment.server import logs
from muniment.server.running import database

HOME = Path(os.environ.get("MUNIMENT_HOME", ".")).absolute()
INSTALLED_APPS = ["muniment.server.records.apps.RecordsAlone"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_ROLE = database.role(os.environ)
DATABASES = {"default": database.settings(HOME, os.environ)}
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING = logs.settings(os.environ.get("MUNIMENT_LOG", ""))
