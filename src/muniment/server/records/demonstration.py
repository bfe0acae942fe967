"""Part of the demonstration about the installation: the name of the company, which every page shows."""

from collections.abc import Iterator
from functools import partial

from muniment.server.demonstration_story import ADMINISTRATOR, COMPANY, FIRST_DAY, Demonstration, DemonstrationEvent
from muniment.server.records.record_acts import ChangeSettings


def list_events(company: Demonstration) -> Iterator[DemonstrationEvent]:
    """Events about the installation."""
    text = f'organisation = "{COMPANY}"\n'
    yield DemonstrationEvent(
        company.find_moment(FIRST_DAY, 8, 40), "web", partial(company.perform, ADMINISTRATOR, ChangeSettings, text=text)
    )
