"""Form that changes one clause of a policy: its words, its control, the parameters, and where it is enforced."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from msgspec import structs

from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.policy.document import LONGEST_NAME
from muniment.policy.model import Clause, EnforcementPoint, Policy
from muniment.policy.parameters import ParameterDeclaration, list_declarations
from muniment.server.acts.fields import LONGEST_REASON
from muniment.server.acts.inputs import Label

PARAMETERS_OF = "parameters_of"  # hidden: the control whose parameters the form has
_PARAMETER = "with-"
_POINTS = (
    (EnforcementPoint.MERGE.value, _("Merge: blocks merging")),
    (EnforcementPoint.DEPLOY.value, _("Deployment: blocks deployment")),
)


class ClauseForm(forms.Form):
    """Form of one clause. `control` is the chosen one: the form has the fields of its parameters."""

    def __init__(self, policy: Policy, clause: Clause, control: str, data: Any = None, **options: Any) -> None:
        self.clause, self.control = clause, control
        super().__init__(data, initial=_make_initial(clause, control) | options.pop("initial", {}), **options)
        self.auto_id, self.label_suffix = "clause-%s", ""
        self.fields |= _build_fields(policy) | _build_parameter_fields(control)

    @property
    def parameter_fields(self) -> list[forms.BoundField]:
        """Fields of the control's parameters."""
        return [self[name] for name in self.fields if name.startswith(_PARAMETER)]

    def make_clause(self) -> Clause:
        """Make the clause as it was typed. Only after is_valid()."""
        typed: Mapping[str, Any] = self.cleaned_data
        return structs.replace(
            self.clause,
            name=typed["name"],
            section=typed["section"],
            text=typed["text"],
            control=self.control,
            enforce=tuple(EnforcementPoint(point) for point in typed["enforce"]),
            parameters=self._make_parameters(),
            branches=_split_lines(typed["branches"]),
            paths=_split_lines(typed["paths"]),
            monitoring_until=typed["monitoring_until"],
            owner=typed["owner"],
        )

    def _make_parameters(self) -> dict[str, object]:
        """Parameters that differ from the default, or that the clause names today."""
        former = self.clause.parameters if self.control == self.clause.control else {}
        if self.control not in CONTROLS:
            return former
        found: dict[str, object] = {}
        for one in _list_parameters(self.control):
            typed = self.cleaned_data[_PARAMETER + one.name]
            value = list(_split_lines(typed)) if isinstance(one.default, tuple) else typed
            if one.name in former or value != (list(one.default) if isinstance(one.default, tuple) else one.default):
                found[one.name] = value
        return found


def _make_initial(clause: Clause, control: str) -> dict[str, object]:
    found: dict[str, object] = {
        "name": clause.name,
        "section": clause.section,
        "text": clause.text,
        "control": control,
        "enforce": [point.value for point in clause.enforce],
        "branches": "\n".join(clause.branches),
        "paths": "\n".join(clause.paths),
        "monitoring_until": clause.monitoring_until,
        "owner": clause.owner,
    }
    given = clause.parameters if control == clause.control else {}
    for one in _list_parameters(control):
        value = given.get(one.name, one.default)
        found[_PARAMETER + one.name] = "\n".join(value) if isinstance(value, list | tuple) else value
    return found


def _build_fields(policy: Policy) -> dict[str, forms.Field]:
    controls: list[tuple[str, Label]] = [("", _("None: the clause is not evaluated"))]
    controls += [(name, name) for name in CONTROLS]
    controls += [(name, _("%(name)s (not in this version)") % {"name": name}) for name in sorted(PLANNED)]
    return {
        "name": forms.CharField(label=_("Short name"), max_length=LONGEST_NAME),
        "section": forms.ChoiceField(label=_("Section"), choices=[(one.id, one.name) for one in policy.sections]),
        "text": forms.CharField(label=_("What your policy says"), max_length=2000, widget=forms.Textarea({"rows": 3})),
        "enforce": forms.MultipleChoiceField(
            label=_("Enforced at"), choices=_POINTS, required=False, widget=forms.CheckboxSelectMultiple
        ),
        "monitoring_until": forms.DateField(
            label=_("Monitoring until"),
            help_text=_("Until the end of this day the clause blocks nothing. Empty: it blocks at once."),
            required=False,
            widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        ),
        "owner": forms.CharField(
            label=_("Owner"), help_text=_("Empty: the owner of the section."), required=False, max_length=200
        ),
        "branches": forms.CharField(
            label=_("Branches, one per line"),
            help_text=_("Empty: every protected branch."),
            required=False,
            widget=forms.Textarea({"rows": 2, "class": "form-control mono"}),
        ),
        "paths": forms.CharField(
            label=_("Paths, one per line"),
            help_text=_("Empty: every change."),
            required=False,
            widget=forms.Textarea({"rows": 2, "class": "form-control mono"}),
        ),
        "control": forms.ChoiceField(label=_("Control"), choices=controls, required=False),
        "note": forms.CharField(
            label=_("Reason for the change"),
            required=False,
            max_length=LONGEST_REASON,
            widget=forms.Textarea({"rows": 2}),
        ),
    }


def _build_parameter_fields(control: str) -> dict[str, forms.Field]:
    return {_PARAMETER + one.name: _build_parameter_field(one) for one in _list_parameters(control)}


def _build_parameter_field(one: ParameterDeclaration) -> forms.Field:
    label = f"{one.name} ({one.unit})"
    if isinstance(one.default, bool):
        return forms.BooleanField(label=one.name, required=False)
    if isinstance(one.default, int):
        return forms.IntegerField(label=label)
    widget = forms.Textarea({"rows": 3, "class": "form-control mono"})
    return forms.CharField(label=_("%(name)s, one per line") % {"name": label}, required=False, widget=widget)


def _list_parameters(control: str) -> tuple[ParameterDeclaration, ...]:
    found = CONTROLS.get(control)
    return list_declarations(found.parameters) if found is not None else ()


def _split_lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
