"""The form of an act, derived from its fields: labels, hints, limits and choices. The parser alone reads what comes."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from muniment.access.authorize import Actor
from muniment.errors import ActInputError
from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Answers, Day, Flag, Input, Integer, Lines, Moment, Several, Text
from muniment.server.acts.parser import defaults_of, merge_fields, parse_act, refuse_repeated, typed_inputs_of

TAG = "act"  # the hidden field that names the act which a form is for
_LONG = 10_000  # characters: a document, and no note
_ALWAYS = frozenset({"csrfmiddlewaretoken", TAG})


class ActForm(forms.Form):
    """A form for one act. `fixed` are the fields that its address says, and that nobody types. Of `Answers`, a form
    asks the questions that `initial` names, or those that were sent.

    After `is_valid()`, `act` is the act; else `problem` says what is wrong with each field.
    """

    def __init__(
        self,
        cls: type[Act],
        actor: Actor,
        data: QueryDict | None = None,
        *,
        fixed: Mapping[str, object] | None = None,
        initial: Mapping[str, object] | None = None,
        hidden: tuple[str, ...] = (),
        prefix: str = "",
    ) -> None:
        self.act_class, self.actor, self.fixed = cls, actor, dict(fixed or {})
        self._sent = data if data is not None else QueryDict()
        self.act: Act | None = None
        self.problem: ActInputError | None = None
        super().__init__(data, initial=dict(initial or {}), auto_id=f"{cls.tag()}{prefix}-%s", label_suffix="")
        for name, field in typed_inputs_of(cls).items():
            if isinstance(field, Answers):
                asked = self.initial.get(name) or {one.partition("-")[2] for one in self._sent}
                self.fields |= _questions(name, field, asked)
            elif name not in self.fixed:
                self.fields[name] = _form_field(cls, name, field, actor, hidden=name in hidden)

    def clean(self) -> dict[str, Any]:
        """Have the parser read every field, those too that the form does not have."""
        try:
            self.act = parse_act(self.act_class, merge_fields(self._values(), self.fixed), self.actor)
        except ActInputError as error:
            self.problem = error
            for problem in error.problems:
                place = problem.field if problem.field in self.fields else None
                text = f"{problem.message} {problem.remedy}"
                self.add_error(place, text if place else f"{problem.label}: {text}")
        return self.cleaned_data

    def _values(self) -> dict[str, object]:
        """What was sent, by the names of the act's fields. Raises ActInputError for a field that is sent twice."""
        inputs = typed_inputs_of(self.act_class)
        refuse_repeated(
            name
            for name, values in self._sent.lists()
            if len(values) > 1 and name not in _ALWAYS and not isinstance(inputs.get(name), Several)
        )
        given: dict[str, object] = {}
        answers: dict[str, dict[str, object]] = {}
        for name in self.data:
            field, _dash, question = name.partition("-")
            if question and isinstance(inputs.get(field), Answers):
                answers.setdefault(field, {})[question] = self.data[name]
            elif name not in _ALWAYS:
                several = self._sent.getlist(name) if isinstance(inputs.get(name), Several) else ()
                given[name] = several if len(several) > 1 else self.data[name]  # one alone is read as any text is
        return {**answers, **given}


def _questions(name: str, field: Answers, asked: Iterable[str]) -> dict[str, forms.Field]:
    """One field for each question that is asked, in the order of the questions."""
    attributes = {"maxlength": field.most, "rows": 4}
    chosen = frozenset(asked)
    return {
        f"{name}-{question}": forms.Field(required=False, label=label, widget=forms.Textarea(attributes))
        for question, label in field.questions
        if question in chosen
    }


def _form_field(cls: type[Act], name: str, field: Input, actor: Actor, *, hidden: bool) -> forms.Field:
    default = defaults_of(cls).get(name)
    return forms.Field(
        required=False,  # the parser says what is missing
        label=field.label,
        help_text=field.hint,
        initial=default if isinstance(field, Flag) and not field.ask else field.to_text(default),  # a box sends "on"
        widget=forms.HiddenInput() if hidden else _widget(field, actor, required=name not in defaults_of(cls)),
    )


def _widget(field: Input, actor: Actor, *, required: bool) -> forms.Widget:
    attributes: dict[str, Any] = {"required": True} if required else {}
    if field.monospace:
        attributes["class"] = "mono"
    options = field.choices(actor)
    if isinstance(field, Several):
        return forms.CheckboxSelectMultiple({}, options or ())
    if options is not None:
        return forms.Select(attributes, options if required else (("", field.blank), *options))
    match field:
        case Flag():
            return forms.CheckboxInput({}, check_test=lambda value: value in (True, "yes", "on"))
        case Day():
            return forms.DateInput(attributes | {"type": "date"})
        case Moment():
            return forms.TextInput(attributes | {"type": "datetime-local", "autocomplete": "off"})
        case Integer():
            return forms.NumberInput(attributes | {"min": field.least, "max": field.most})
        case Text(multiline=True) | Lines():
            rows = 24 if field.most > _LONG else 4
            return forms.Textarea(attributes | {"maxlength": field.most, "rows": rows})
        case Text():
            return forms.TextInput(attributes | {"maxlength": field.most, "autocomplete": "off"})
        case _:
            return forms.TextInput(attributes | {"autocomplete": "off"})
