"""The form of an act, derived from its fields: labels, hints, limits and choices. The parser alone reads what comes."""

from collections.abc import Iterable, Mapping

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from muniment.access.authorization import Actor
from muniment.errors import ActInputError
from muniment.server.acts import widgets
from muniment.server.acts.act import Act
from muniment.server.acts.inputs import Answers, Day, Flag, Input, Integer, Moment, MultipleChoice, Text, TextLines
from muniment.server.acts.parser import find_typed_inputs, make_defaults, merge_fields, parse_act, refuse_repeated

TAG = "act"  # the hidden field that names the act which a form is for
_LONG = 10_000  # characters: a document, and no note
_ALWAYS = frozenset({"csrfmiddlewaretoken", TAG})


class ActForm(forms.Form):
    """Form of one act. `fixed` are the fields that the address gives, and that nobody types. Of `Answers`, a form
    has the questions that `initial` names, or those that were sent.

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
        super().__init__(data, initial=dict(initial or {}), auto_id=f"{cls.act_tag()}{prefix}-%s", label_suffix="")
        for name, field in find_typed_inputs(cls).items():
            if isinstance(field, Answers):
                asked = self.initial.get(name) or {one.partition("-")[2] for one in self._sent}
                self.fields |= _build_question_fields(name, field, asked)
            elif name not in self.fixed:
                if isinstance(field, Flag) and field.ask and name in self.initial:
                    self.initial[name] = field.format_for_form(self.initial[name])  # as its choices are
                self.fields[name] = _build_form_field(cls, name, field, actor, hidden=name in hidden)
        self.order_fields(cls.leading_fields)

    def clean(self) -> dict[str, object]:
        """Have the parser read every field, those too that the form does not have."""
        try:
            self.act = parse_act(self.act_class, merge_fields(self._read_sent_values(), self.fixed), self.actor)
        except ActInputError as error:
            self.problem = error
            for problem in error.problems:
                place = problem.field if problem.field in self.fields else None
                text = f"{problem.message} {problem.remedy}"
                self.add_error(place, text if place else f"{problem.label}: {text}")
        return self.cleaned_data

    def _read_sent_values(self) -> dict[str, object]:
        """Values that were sent, by the names of the act's fields. Raises ActInputError for a field that is sent
        twice.
        """
        inputs = find_typed_inputs(self.act_class)
        refuse_repeated(
            name
            for name, values in self._sent.lists()
            if len(values) > 1 and name not in _ALWAYS and not isinstance(inputs.get(name), MultipleChoice)
        )
        given: dict[str, object] = {}
        answers: dict[str, dict[str, object]] = {}
        for name in self.data:
            field, _dash, question = name.partition("-")
            if question and isinstance(inputs.get(field), Answers):
                answers.setdefault(field, {})[question] = self.data[name]
            elif name not in _ALWAYS:
                several = self._sent.getlist(name) if isinstance(inputs.get(name), MultipleChoice) else ()
                given[name] = several if len(several) > 1 else self.data[name]  # one alone is read as any text is
        return {**answers, **given}


def _build_question_fields(name: str, field: Answers, requested_ids: Iterable[str]) -> dict[str, forms.Field]:
    """Form field for each requested question, in the order of the questions."""
    attributes = {"maxlength": field.most, "rows": 4}
    chosen = frozenset(requested_ids)
    return {
        f"{name}-{question}": forms.Field(required=False, label=label, widget=widgets.DrawnTextarea(attributes))
        for question, label in field.questions
        if question in chosen
    }


def _build_form_field(cls: type[Act], name: str, field: Input, actor: Actor, *, hidden: bool) -> forms.Field:
    default = make_defaults(cls).get(name)
    return forms.Field(
        required=False,  # the parser says what is missing
        label=field.label,
        help_text=field.hint,
        initial=default
        if isinstance(field, Flag) and not field.ask
        else field.format_for_form(default),  # a box sends "on"
        widget=widgets.DrawnHiddenInput()
        if hidden
        else _build_widget(field, actor, required=name not in make_defaults(cls)),
    )


def _build_widget(field: Input, actor: Actor, *, required: bool) -> forms.Widget:
    attributes: dict[str, object] = {"required": True} if required else {}
    if field.monospace:
        attributes["class"] = "mono"
    options = field.list_choices(actor)
    if isinstance(field, MultipleChoice):
        return widgets.DrawnCheckboxes({}, field.list_groups(actor))
    if options is not None:
        blank = _("Choose") if required else field.blank  # nothing that has to be given is chosen already
        return widgets.DrawnSelect(attributes, options if required and len(options) == 1 else (("", blank), *options))
    match field:
        case Flag():
            return widgets.DrawnCheckbox({}, check_test=lambda value: value in (True, "yes", "on"))
        case Day():
            return widgets.DrawnDateInput(attributes | {"type": "date"})
        case Moment():
            return widgets.DrawnTextInput(attributes | {"type": "datetime-local", "autocomplete": "off"})
        case Integer():
            return widgets.DrawnNumberInput(attributes | {"min": field.least, "max": field.most})
        case Text(multiline=True) | TextLines():
            rows = 12 if field.most > _LONG else 4
            return widgets.DrawnTextarea(attributes | {"maxlength": field.most, "rows": rows})
        case Text():
            return widgets.DrawnTextInput(attributes | {"maxlength": field.most, "autocomplete": "off"})
        case _:
            return widgets.DrawnTextInput(attributes | {"autocomplete": "off"})
