"""Addresses of the app. Each view names its action."""

from django.urls import path

from muniment.server.pages import exceptions, glossary, health, jobs, ledger, overview, own_account, product_changes
from muniment.server.pages import search as searching

urlpatterns = [
    path("", overview.home, name="home"),
    path("products", overview.list_, name="products"),
    path("products/import", product_changes.import_, name="import"),
    path("products/<slug:slug>", overview.product, name="product"),
    path("products/<slug:slug>/change", product_changes.change, name="change-product"),
    path("search", searching.search, name="search"),
    path("exceptions", exceptions.exceptions, name="exceptions"),
    path("exceptions/request", exceptions.ask_exception, name="ask-exception"),
    path("settings", ledger.settings, name="settings"),
    path("me", own_account.mine, name="me"),
    path("activity", ledger.activity, name="activity"),
    path("ledger", ledger.ledger, name="ledger"),
    path("ledger/<int:number>", ledger.entry, name="entry"),
    path("ledger/<int:number>/addendum", ledger.correct, name="correct"),
    path("jobs", jobs.work, name="work"),
    path("jobs/<int:number>/retry", jobs.retry, name="retry"),
    path("access", glossary.access, name="access"),
    path("glossary", glossary.glossary, name="glossary"),
    path("health", health.health, name="health"),
    path("ready", health.ready, name="ready"),
]
