"""How a merge request is on its way: by itself, in a merge train, by which method."""

import time
from collections.abc import Callable
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import Lab, at, change, known, request, short, tip
from muniment.forges.shapes import Group, Member, Merging, Repo

_SETTINGS_SECONDS = 300


class Ways:
    """How the projects of one installation merge, as it was read some minutes ago at most: it decides nothing."""

    def __init__(self, lab: Lab, clock: Callable[[], float] = time.monotonic) -> None:
        self._lab = lab
        self._clock = clock
        self._projects: dict[str, tuple[float, wire.Project]] = {}

    def of(self, repository: Repo, asked: wire.MergeRequest) -> Merging:
        """That of one merge request."""
        project = self._project(repository)
        cars = train(self._lab, repository, asked.target_branch) if project.merge_trains_enabled else ()
        car = next((one for one in cars if one.merge_request.iid == asked.iid), None)
        automatic = asked.merge_when_pipeline_succeeds
        return Merging(
            automatic=automatic,
            asked_by=known(asked.merge_user) if automatic else Unknown("it is not merged by itself"),
            method="squash" if asked.squash else project.merge_method,
            queued=car is not None,
            group=car.pipeline.sha if car and car.pipeline else "",
        )

    def _project(self, repository: Repo) -> wire.Project:
        until, there = self._projects.get(repository.id, (0.0, None))
        if there is None or self._clock() > until:
            there = self._lab.one(wire.Project, at(repository))
            self._projects[repository.id] = self._clock() + _SETTINGS_SECONDS, there
        return there


def train(lab: Lab, repository: Repo, target: str) -> tuple[wire.Car, ...]:
    """The places of a merge train, first to last."""
    path = f"{at(repository)}/merge_trains/{quote(short(target), safe='')}"
    return lab.many(wire.Car, path, scope="active", sort="asc")


def group(lab: Lab, repository: Repo, target: str, head: str) -> Group:
    """The part of a merge train up to the place whose pipeline runs on `head`."""
    members: list[Member] = []
    for car in train(lab, repository, target):
        number = car.merge_request.iid
        members.append(Member(number, change(request(lab, repository, number)).head))
        if car.pipeline and car.pipeline.sha == head:
            return Group(target, tip(lab, repository, target), head, tuple(members))
    raise ForgeError(
        ForgeCode.CHANGED_MEANWHILE,
        "the merge train no longer contains it",
        "A new one is evaluated when it is created.",
    )
