"""Every address: those of each app, the lowest first, and those of the API.

Each view names its action; `guarding/system_checks.py` refuses one that does not. An address of a lower app goes before
one of a higher.
"""

from importlib import import_module

from django.urls import path

from muniment.server.api import list_addresses
from muniment.server.registration import read_contributions

handler404 = "muniment.server.running.failure_page.answer_missing_address"
handler500 = "muniment.server.running.failure_page.show_server_failure"

urlpatterns = [
    *(pattern for app in read_contributions() if app.urls for pattern in import_module(app.urls).urlpatterns),
    path("api/", list_addresses()),
]
