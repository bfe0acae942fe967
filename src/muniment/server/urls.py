"""Every address, by hand. Each view names its action; `guarding/checks.py` sees to it."""

from django.urls import include, path

from muniment.server import glossary, searching, work_views
from muniment.server.api import addresses
from muniment.server.changes import views as changes
from muniment.server.connections import app_views, branch_views, change_views, hearing
from muniment.server.connections import views as connections
from muniment.server.deployments import views as deployments
from muniment.server.incidents import views as incidents
from muniment.server.people import views as people
from muniment.server.policies import views as policies
from muniment.server.products import views as products
from muniment.server.proposals import views as proposals
from muniment.server.record import views as record
from muniment.server.running import health
from muniment.server.secrets import views as secrets

handler500 = "muniment.server.running.failing.failed"

urlpatterns = [
    path("", products.home, name="home"),
    path("products", products.list_, name="products"),
    path("products/import", products.import_, name="import"),
    path("products/add", products.add, name="add-product"),
    path("products/<slug:slug>", products.product, name="product"),
    path("products/<slug:slug>/progress", products.progress, name="progress"),
    path("products/<slug:slug>/change", products.change, name="change-product"),
    path("products/<slug:slug>/gently", policies.gently, name="gently"),
    path("products/<slug:slug>/retire", products.retire, name="retire-product"),
    path("products/<slug:slug>/secrets", secrets.secrets, name="secrets"),
    path("products/<slug:slug>/secrets/set", secrets.set_, name="set-secret"),
    path("products/<slug:slug>/secrets/remove", secrets.remove, name="remove-secret"),
    path("products/<slug:slug>/environments", deployments.environments, name="environments"),
    path("products/<slug:slug>/environments/change", deployments.change, name="change-environment"),
    path("products/<slug:slug>/environments/close", deployments.close, name="close-pipeline"),
    path("products/<slug:slug>/environments/break-glass", deployments.break_glass, name="break-glass"),
    path("deployments/<int:number>", deployments.deployment, name="deployment"),
    path("builders", deployments.builders, name="builders"),
    path("builders/trust", deployments.trust_builder, name="trust-builder"),
    path("builders/<int:number>/close", deployments.close_builder, name="close-builder"),
    path("products/<slug:slug>/branches", branch_views.branches, name="branches"),
    path("products/<slug:slug>/friction", branch_views.measured, name="friction"),
    path("changes/<int:number>", changes.change, name="change"),
    path("changes/<int:number>/again", changes.again, name="again"),
    path("changes/<int:number>/look", change_views.look, name="look-change"),
    path("changes/<int:number>/review", change_views.review, name="review-change"),
    path("changes/<int:number>/attest", change_views.attest, name="attest-change"),
    path("changes/<int:number>/request", change_views.request_, name="request-change"),
    path("arrivals/<int:number>", branch_views.arrival, name="arrival"),
    path("arrivals/<int:number>/review", branch_views.afterwards, name="review-afterwards"),
    path("arrivals/<int:number>/revert", branch_views.revert, name="revert-arrival"),
    path("connections", connections.connections, name="connections"),
    path("connections/add", connections.add, name="add-connection"),
    path("connections/made", app_views.made, name="made-app"),
    path("connections/<slug:slug>", connections.connection, name="connection"),
    path("connections/<slug:slug>/change", connections.change, name="change-connection"),
    path("connections/<slug:slug>/key", connections.key, name="key-connection"),
    path("connections/<slug:slug>/app", app_views.make, name="make-app"),
    path("connections/<slug:slug>/repositories", connections.put, name="connect-repository"),
    path("hear/<slug:slug>", hearing.hear, name="hear"),
    path("search", searching.search, name="search"),
    path("exceptions", policies.exceptions, name="exceptions"),
    path("exceptions/ask", policies.ask_exception, name="ask-exception"),
    path("exceptions/<str:slug>/end", policies.end_exception, name="end-exception"),
    path("machines/trust", people.trust_machine, name="trust-machine"),
    path("machines/<str:slug>/close", people.close_machine, name="close-machine"),
    path("incidents", incidents.incidents, name="incidents"),
    path("incidents/<int:number>", incidents.incident, name="incident"),
    path("incidents/<int:number>/handle", incidents.handle, name="handle-incident"),
    path("policy", policies.policy, name="policy"),
    path("policy/propose", policies.propose, name="propose"),
    path("policy/source", policies.source, name="source"),
    path("policy/versions/<int:number>", policies.version, name="version"),
    path("policy/versions/<int:number>/apply", policies.apply, name="apply"),
    path("policy/freeze", policies.freeze, name="freeze"),
    path("policy/freezes/<str:slug>/lift", policies.unfreeze, name="unfreeze"),
    path("people", people.people, name="people"),
    path("people/add", people.add, name="add-person"),
    path("people/<str:slug>", people.person, name="person"),
    path("people/<str:slug>/change", people.change, name="change-person"),
    path("people/<str:slug>/role", people.grant, name="grant"),
    path("people/<str:slug>/invite", people.invitation, name="invite"),
    path("people/<str:slug>/export", people.export, name="export"),
    path("people/<str:slug>/erase", people.erase, name="erase"),
    path("people/<str:slug>/hold", people.hold, name="hold"),
    path("privacy", people.privacy, name="privacy"),
    path("settings", record.settings, name="settings"),
    path("proposals/<int:number>", proposals.decide, name="decide"),
    path("me", people.mine, name="me"),
    path("inbox", people.inbox, name="inbox"),
    path("me/claim", people.claim, name="claim"),
    path("me/export", people.my_export, name="my-export"),
    path("me/tokens", people.token, name="token"),
    path("me/tokens/<int:number>/end", people.end_token, name="end-token"),
    path("activity", record.activity, name="activity"),
    path("ledger", record.ledger, name="ledger"),
    path("ledger/<int:number>", record.entry, name="entry"),
    path("ledger/<int:number>/addendum", record.correct, name="correct"),
    path("work", work_views.work, name="work"),
    path("work/<int:number>/again", work_views.retry, name="retry"),
    path("access", glossary.access, name="access"),
    path("words", glossary.glossary, name="glossary"),
    path("welcome/<str:text>", people.welcome, name="invitation"),
    path("health", health.health, name="health"),
    path("ready", health.ready, name="ready"),
    path("account/password/reset/", people.forgotten, name="forgotten"),
    path("account/email/", people.addresses, name="account_email"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("account/company/", include("allauth.socialaccount.urls")),
    path("account/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("api/", addresses()),
]
