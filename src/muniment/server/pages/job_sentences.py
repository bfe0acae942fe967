"""Sentences about background jobs, and the names of the things that they are about."""

from collections.abc import Iterable, Mapping

from django.utils.translation import gettext_lazy as _

from muniment.server.connections.models import Connection
from muniment.server.products.models import Repository

TASK_SENTENCES: Mapping[str, object] = {
    "apply-freeze": _("Apply a freeze, or its end, to everything"),
    "begin-passes": _("Compare everything with the forges after a start"),
    "check-connection-permissions": _("Check the permissions of a connection"),
    "check-deployment": _("Check whether a deployment is still permitted"),
    "close-deployment-access": _("End the access of a deployment to its secrets"),
    "close-job-run": _("End the access of a job to its secrets"),
    "close-reviewed-bypasses": _("Close the bypasses that were reviewed"),
    "deliver-outgoing-events": _("Send events to an outgoing webhook"),
    "evaluate-change": _("Evaluate an open change"),
    "evaluate-deployment": _("Decide on a deployment"),
    "evaluate-history": _("Evaluate the history of a branch"),
    "evaluate-product-clauses": _("Evaluate the clauses about a product"),
    "withdraw-job-run": _("Withdraw a job that waits no longer for its secrets"),
    "evaluate-job-run": _("Decide on a job that needs secrets"),
    "import-hook-log": _("Read the log of a server hook"),
    "list-repositories": _("List the repositories of a connection"),
    "mail-code": _("Send a confirmation code by mail"),
    "merge-change": _("Merge a pull request"),
    "poll-connection": _("Compare repositories with their forge"),
    "post-bypass-status": _("Show a bypass at the forge"),
    "prepare-revert": _("Prepare the revert of a bypass"),
    "probe-connection": _("Read facts that the forge does not report"),
    "probe-repository": _("Read who has access to a repository"),
    "read-branch-rules": _("Check the protection of branches"),
    "read-branch-updates": _("Read the updates of protected branches"),
    "read-change": _("Evaluate a pull request"),
    "read-issuer-keys": _("Read the public keys of a pipeline service"),
    "read-merge-group": _("Evaluate a group of the merge queue"),
    "read-policy-source": _("Read the policy from its branch"),
    "read-published-keys": _("Read the published keys of a person"),
    "reconcile-repository": _("Compare a repository with its forge"),
    "record-deployment-outcome": _("Record how a deployment ended"),
    "record-running-artifact": _("Check an artifact that an environment reported"),
    "reevaluate-all": _("Evaluate everything again"),
    "replay-policy": _("Evaluate the last 90 days with a policy draft"),
    "replay-policy-on-repository": _("Evaluate the last 90 days of a repository with a policy draft"),
    "request-review": _("Request a review at the forge"),
    "review-break-glass-deployment": _("Open the review of a break-glass deployment"),
    "revoke-deployments": _("Stop the deployments that a freeze concerns"),
    "scan-repository": _("Look for new commits in a repository"),
    "send-messages": _("Send mails"),
    "tell-account-notices": _("Notify people of changes of their accounts"),
    "verify-statuses": _("Check the decisions shown at the forge"),
}


def describe_job(task: str) -> str:
    """Sentence about the jobs of a task; its name in words for one that has none here, as of a new app."""
    return str(TASK_SENTENCES.get(task, task.replace("-", " ").capitalize()))


def find_job_subjects(jobs: Iterable[Mapping[str, object]]) -> dict[tuple[str, int], str]:
    """Names of the repositories and connections that the arguments of jobs give by number."""
    arguments = list(jobs)

    def list_numbers(name: str) -> set[int]:
        return {number for one in arguments if isinstance(number := one.get(name), int)}

    repositories = Repository.objects.in_bulk(list_numbers("repository"))
    connections = Connection.objects.in_bulk(list_numbers("connection"))
    return {("repository", number): row.name for number, row in repositories.items()} | {
        ("connection", number): row.slug for number, row in connections.items()
    }
