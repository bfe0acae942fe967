"""Links that let one person in once."""

from datetime import timedelta

from django.utils import timezone

from muniment.server.people.models import INVITATION, Invitation, Person


def create_invitation(
    person: Person,
    lasts: timedelta = INVITATION,
    *,
    made_by: str | None = None,
    recovers: bool = False,
    by_operator: bool = False,
) -> str:
    """Create a link that lets a person in once; its path. Older links end."""
    person.invitations.filter(ended_at=None).update(ended_at=timezone.now())
    text, hashed = Invitation.make_token()
    expires = timezone.now() + lasts
    Invitation.objects.create(
        person=person,
        token_hash=hashed,
        expires_at=expires,
        made_by_id=made_by,
        recovers=recovers,
        by_operator=by_operator,
    )
    return f"/welcome/{text}"
