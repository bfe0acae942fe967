"""Words for kinds of threats and for the results of principles."""

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.design.findings import Principle
from muniment.design.threats import ThreatKind
from muniment.server.acts.inputs import Label

KIND_TEXTS: Mapping[str, Label] = {
    ThreatKind.SPOOFING.value: gettext_lazy("Spoofing"),
    ThreatKind.TAMPERING.value: gettext_lazy("Tampering"),
    ThreatKind.REPUDIATION.value: gettext_lazy("Repudiation"),
    ThreatKind.DISCLOSURE.value: gettext_lazy("Information disclosure"),
    ThreatKind.DENIAL.value: gettext_lazy("Denial of service"),
    ThreatKind.ELEVATION.value: gettext_lazy("Elevation of privilege"),
}
PRINCIPLE_TEXTS: Mapping[Principle, tuple[Label, Label]] = {
    Principle.LEAST_PRIVILEGE: (
        gettext_lazy("Least privilege"),
        gettext_lazy("Every person and part has only the permissions its task needs."),
    ),
    Principle.PRIVILEGE_SEPARATION: (
        gettext_lazy("Privilege separation"),
        gettext_lazy("Few may create, change or delete what matters."),
    ),
    Principle.COMPLETE_MEDIATION: (
        gettext_lazy("Complete mediation"),
        gettext_lazy("Every access is checked, by role and by owner of the data."),
    ),
    Principle.SECURITY_LAYERS: (
        gettext_lazy("Multiple security layers"),
        gettext_lazy("Behind each protection stands another of a different kind."),
    ),
    Principle.SECURE_FAILURE: (
        gettext_lazy("Secure failure"),
        gettext_lazy("A failure denies access, discloses nothing and restores the state before."),
    ),
    Principle.USER_FRIENDLY: (
        gettext_lazy("User-friendly security"),
        gettext_lazy("Security does not get in the way of normal work."),
    ),
}
HIGH_SCORE, MEDIUM_SCORE = 9, 5


def describe_threat(kind: str, element: str) -> str:
    """Sentence about a threat to an element of a design."""
    sentences = {
        ThreatKind.SPOOFING.value: _("Somebody pretends to be %(element)s."),
        ThreatKind.TAMPERING.value: _("Somebody changes data in %(element)s without the right to do so."),
        ThreatKind.REPUDIATION.value: _("%(element)s denies an act, and no record proves it."),
        ThreatKind.DISCLOSURE.value: _("Somebody reads data in %(element)s without the right to do so."),
        ThreatKind.DENIAL.value: _("Somebody makes %(element)s unavailable."),
        ThreatKind.ELEVATION.value: _("Somebody gets rights in %(element)s that nobody granted."),
    }
    return sentences[kind] % {"element": element}


def find_severity(score: int) -> str:
    """Severity of a threat by its score: `high`, `medium` or `low`."""
    if score >= HIGH_SCORE:
        return "high"
    return "medium" if score >= MEDIUM_SCORE else "low"
