"""Acts on the branch that policies are read from: set it, remove it, draft the policy that it contains."""

from typing import Annotated, ClassVar, Self

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server import moments
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import commit_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.people.messages import notify_people
from muniment.server.people.models import Person, build_in_force_condition
from muniment.server.policies.models import PolicySource, PolicyVersion
from muniment.server.policies.version_acts import PolicyAct, PolicyText, digest_policy, require_policy_text
from muniment.server.products.act_fields import find_repository_name, make_permitted_repository_input
from muniment.server.products.models import Repository
from muniment.server.records.recorded_rows import note_rows

_INSERT = """
    INSERT INTO policies_policyversion (text, digest, note, proposed_at, source_commit)
    VALUES (%s, %s, %s, %s, %s) RETURNING id
"""  # without `in_force` and `applied_at`: the worker may not name those columns
_SHORT = r"(?!/|-|refs/)(?!.*\.\.).+"  # a path from the repository's top, or a branch, that no program takes for more


class SourceAct(PolicyAct, frozen=True):
    """Base of acts on the branch that policies are read from."""

    def format_subject(self) -> str:
        """Subject of the only source."""
        return "policy:source"


class SetPolicySource(SourceAct, frozen=True):
    """Read policies from a file on a branch: each allowed commit of it is drafted."""

    title: ClassVar[Label] = gettext_lazy("Read policies from branch")

    repository: Annotated[int, make_permitted_repository_input(Action.SEE_PRODUCT)]
    branch: Annotated[
        str,
        Text(
            label=gettext_lazy("Branch"),
            most=300,
            pattern=_SHORT,
            form=gettext_lazy("Write it in short, such as main."),
            monospace=True,
            recorded=True,
        ),
    ] = "main"
    path: Annotated[
        str,
        Text(
            label=gettext_lazy("File"),
            most=300,
            pattern=_SHORT,
            form=gettext_lazy("Write it from the top of the repository, such as policy.toml."),
            monospace=True,
        ),
    ] = "policy.toml"

    def describe_act(self) -> str:
        """The repository, branch and file."""
        details = {"repository": find_repository_name(self.repository), "branch": self.branch, "path": self.path}
        return _("read policies from %(repository)s, %(branch)s: %(path)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """The repository is there, and its product active."""
        if not Repository.objects.filter(pk=self.repository, product__retired_at=None).exists():
            raise RefusedError(
                "no-repository",
                _("The repository is gone, or its product is retired."),
                _("Choose another repository."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Replace the source, and have it read."""
        PolicySource.objects.all().delete()
        PolicySource.objects.create(
            id=1,
            repository_id=self.repository,
            branch=self.branch,
            path=self.path,
            configured_by_id=context.requester,
        )
        enqueue("read-policy-source")


class RemovePolicySource(SourceAct, frozen=True):
    """Stop reading policies from a branch."""

    title: ClassVar[Label] = gettext_lazy("Stop reading policies from branch")

    def describe_act(self) -> str:
        return _("read policies from no branch")

    def carry_out(self, context: ActContext) -> None:
        PolicySource.objects.all().delete()


class ImportPolicy(SourceAct, frozen=True):
    """Draft the policy of an allowed commit of the branch; security officers are notified."""

    title: ClassVar[Label] = gettext_lazy("Draft policy of branch")

    text: PolicyText
    commit: Annotated[
        str, commit_input(label=gettext_lazy("Commit"), form=gettext_lazy("Give the whole id of the commit."))
    ]

    def normalise_fields(self) -> Self:
        """As it is. Raises ParseError for what is no policy."""
        require_policy_text(self.text)
        return self

    def format_subject(self) -> str:
        """The policy, by the digest of the draft."""
        return f"policy:{digest_policy(self.text)}"

    def describe_act(self) -> str:
        """The commit, and the digest of the draft."""
        details = {"commit": self.commit[:12], "digest": digest_policy(self.text)}
        return _("draft the policy %(digest)s of the commit %(commit)s") % details

    def recorded_details(self, context: ActContext) -> dict[str, str]:
        """The digest of the draft."""
        return {"digest": digest_policy(self.text)}

    def carry_out(self, context: ActContext) -> None:
        """Add the version, and have it tried on the changes of the past. For the worker."""
        source = PolicySource.objects.select_related("repository").get()
        note = f"{source.repository.name}, {source.branch} at {self.commit[:12]}"
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [self.text, digest_policy(self.text), note, moments.current_moment(), self.commit])
            (number,) = cursor.fetchone() or (0,)
        note_rows(PolicyVersion, [number])
        officers = Person.objects.filter(
            build_in_force_condition("role_grants__"), active=True, role_grants__role=Role.SECURITY
        ).distinct()
        text = f"Policy version {number} was drafted from {source.branch}. It is in force once you apply it."
        notify_people(officers, text, f"/policy/versions/{number}")
        enqueue("replay-policy", version=number)
