"""Addresses of the app. Each view names its action."""

from django.conf import settings
from django.urls import path

from muniment.server.pages import (
    component_page,
    exception_pages,
    glossary,
    health_checks,
    inbox_page,
    jobs,
    ledger_pages,
    overview_page,
    overview_pages,
    own_account,
    product_edit_pages,
    product_pages,
)
from muniment.server.pages import search as searching

urlpatterns = [
    path("", overview_page.show_overview, name="home"),
    path("products", overview_pages.list_products, name="products"),
    path("products/import", product_edit_pages.import_product_file, name="import"),
    path("products/<slug:slug>", product_pages.show_product, name="product"),
    path("products/<slug:slug>/settings", product_pages.show_product_settings, name="product-settings"),
    path("products/<slug:slug>/change", product_edit_pages.change_product, name="change-product"),
    path("search", searching.show_search, name="search"),
    path("exceptions", exception_pages.list_exceptions, name="exceptions"),
    path("exceptions/request", exception_pages.request_exception_form, name="ask-exception"),
    path("inbox", inbox_page.show_inbox, name="inbox"),
    path("settings", ledger_pages.edit_settings, name="settings"),
    path("me", own_account.show_own_account, name="me"),
    path("me/appearance", own_account.change_appearance, name="appearance"),
    path("me/language", own_account.change_language, name="language"),
    path("activity", ledger_pages.list_activity, name="activity"),
    path("ledger", ledger_pages.list_records, name="ledger"),
    path("ledger/<int:number>", ledger_pages.show_record, name="entry"),
    path("ledger/<int:number>/addendum", ledger_pages.correct_record, name="correct"),
    path("jobs", jobs.list_jobs, name="work"),
    path("jobs/<int:number>/retry", jobs.retry_job, name="retry"),
    path("access", glossary.show_access_table, name="access"),
    path("glossary", glossary.show_glossary, name="glossary"),
    path("health", health_checks.check_health, name="health"),
    path("ready", health_checks.check_readiness, name="ready"),
]

if settings.DEVELOPMENT:
    urlpatterns.append(path("-/components", component_page.show_components, name="components"))
