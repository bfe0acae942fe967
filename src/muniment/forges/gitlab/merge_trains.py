"""Pending merges of merge requests: automatic, in a merge train, by which method."""

import time
from collections.abc import Callable
from urllib.parse import quote

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Unknown
from muniment.forges.gitlab import wire
from muniment.forges.gitlab.client import (
    GitLabClient,
    branch_name,
    convert_change,
    convert_known_account,
    project_path,
    read_branch_tip,
    read_merge_request,
)
from muniment.forges.shapes import ForgeRepository, GroupMember, MergeGroup, PendingMerge

_SETTINGS_SECONDS = 300


class MergeSettings:
    """Merge settings of an installation's projects, some minutes old at most: no decision rests on them."""

    def __init__(self, lab: GitLabClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._lab = lab
        self._clock = clock
        self._projects: dict[str, tuple[float, wire.Project]] = {}

    def read_pending_merge(self, repository: ForgeRepository, merge_request: wire.MergeRequest) -> PendingMerge:
        """How one merge request is about to be merged."""
        project = self._read_project(repository)
        cars = read_train(self._lab, repository, merge_request.target_branch) if project.merge_trains_enabled else ()
        car = next((one for one in cars if one.merge_request.iid == merge_request.iid), None)
        automatic = merge_request.merge_when_pipeline_succeeds
        return PendingMerge(
            automatic=automatic,
            asked_by=convert_known_account(merge_request.merge_user)
            if automatic
            else Unknown("it is not merged by itself"),
            method="squash" if merge_request.squash else project.merge_method,
            queued=car is not None,
            group=car.pipeline.sha if car and car.pipeline else "",
        )

    def _read_project(self, repository: ForgeRepository) -> wire.Project:
        until, there = self._projects.get(repository.id, (0.0, None))
        if there is None or self._clock() > until:
            there = self._lab.read_one(wire.Project, project_path(repository))
            self._projects[repository.id] = self._clock() + _SETTINGS_SECONDS, there
        return there


def read_train(lab: GitLabClient, repository: ForgeRepository, target: str) -> tuple[wire.TrainPlace, ...]:
    """Places of a merge train, first to last."""
    path = f"{project_path(repository)}/merge_trains/{quote(branch_name(target), safe='')}"
    return lab.read_list(wire.TrainPlace, path, scope="active", sort="asc")


def find_merge_group(lab: GitLabClient, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
    """The part of a merge train up to the place whose pipeline runs on `head`."""
    members: list[GroupMember] = []
    for car in read_train(lab, repository, target):
        number = car.merge_request.iid
        members.append(GroupMember(number, convert_change(read_merge_request(lab, repository, number)).head))
        if car.pipeline and car.pipeline.sha == head:
            return MergeGroup(target, read_branch_tip(lab, repository, target), head, tuple(members))
    raise ForgeError(
        ForgeCode.CHANGED_MEANWHILE,
        "the merge train no longer contains it",
        "A new one is evaluated when it is created.",
    )
