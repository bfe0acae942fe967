"""Facts about pipelines: a repository without jobs gives a job nothing."""

from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import ForgeSettings


def test_jobs_that_are_turned_off_may_do_nothing_and_keep_the_names_of_secrets() -> None:
    names = Unknown("the forge did not say")
    no = Known(False)
    assert ForgeSettings.make_without_jobs("gitlab", names) == ForgeSettings("gitlab", names, no, no, no)
