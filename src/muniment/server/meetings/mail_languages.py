"""Languages of mails and messages about meetings: each person gets them in the language that they chose."""

from collections.abc import Callable, Iterable

from django.conf import settings
from django.utils import translation

from muniment.access.authorization import Actor
from muniment.server.acts.inputs import Choices
from muniment.server.meetings.models import PersonLanguage
from muniment.server.people.messages import notify_people
from muniment.server.people.models import Person

DOCUMENT_LANGUAGE = "en"  # of what is frozen, such as minutes: all readers share one text


def list_mail_languages(actor: Actor) -> Choices:
    """Languages in which mails can be written, as (code, name)."""
    return tuple((code, name) for code, name in settings.LANGUAGES)


def find_mail_language(person: Person) -> str:
    """Language of one person's mails."""
    return find_languages([person])[person.pk]


def find_languages(people: Iterable[Person]) -> dict[str, str]:
    """Language of each person by internal id; English for those who chose none."""
    wanted = [each.pk for each in people]
    chosen = dict(PersonLanguage.objects.filter(person__in=wanted).values_list("person", "language"))
    known = dict(settings.LANGUAGES)
    return {key: chosen[key] if chosen.get(key, "") in known else DOCUMENT_LANGUAGE for key in wanted}


def notify_in_own_language(people: Iterable[Person], format_text: Callable[[], str], link: str) -> None:
    """Put a message into the inbox of each person, in their language, in the current transaction."""
    found = list(people)
    languages = find_languages(found)
    for language in sorted(set(languages.values())):
        with translation.override(language):
            notify_people([each for each in found if languages[each.pk] == language], format_text(), link)
