"""The addresses of the confirmation process: there are no others."""

from django.urls import path

from muniment.server.confirmation import pages

urlpatterns = [
    path("requests/<str:request_id>/<str:signer>", pages.confirm, name="confirm"),
    path("requests/<str:request_id>/<str:signer>/statement", pages.statement, name="statement"),
    path("health", pages.health, name="health"),
]
handler400 = "muniment.server.confirmation.pages.show_bad_request"
handler403 = "muniment.server.confirmation.pages.show_bad_request"
handler404 = "muniment.server.confirmation.pages.show_missing"
handler500 = "muniment.server.confirmation.pages.show_failure"
