"""Addresses of the confirmation process: there are no others."""

from django.urls import path

from muniment.server.confirmation import minutes_pages, request_pages

urlpatterns = [
    path("requests/<str:request_id>/<str:signer>", request_pages.confirm_request_page, name="confirm"),
    path("requests/<str:request_id>/<str:signer>/statement", request_pages.show_statement, name="statement"),
    path(
        "minutes/<str:minutes_id>/<str:signer>/<str:role>/<str:statement>", minutes_pages.sign_minutes_page, name="sign"
    ),
    path("health", request_pages.check_liveness, name="health"),
]
handler400 = "muniment.server.confirmation.request_pages.show_bad_request"
handler403 = "muniment.server.confirmation.request_pages.show_bad_request"
handler404 = "muniment.server.confirmation.request_pages.show_missing"
handler500 = "muniment.server.confirmation.request_pages.show_failure"
