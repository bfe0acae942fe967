"""Acts on a product itself: add it, describe it, retire it."""

from datetime import date
from typing import Annotated, ClassVar, Self

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Resource
from muniment.errors import ParseError, RefusedError
from muniment.policy.patterns import MOST_PATTERNS
from muniment.policy.toml_reading import find_pattern_problem
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Day, Flag, InputCode, Label, Text
from muniment.server.job_queue import enqueue
from muniment.server.products.act_fields import SLUG_FORM, GivenReason, ProductAct, ProductId
from muniment.server.products.models import SIGNALS, SLUG_PATTERN, Product

ProductName = Annotated[str, Text(label=gettext_lazy("Name"), most=200)]


def _make_signal_input(label: Label) -> Flag:
    return Flag(label=label, ask=True, blank=gettext_lazy("Unknown (treated as yes)"))


class SignalsAct(Act, frozen=True, kw_only=True):
    """Base of acts on what is known of a product: each signal is yes, no, or not known, which counts as yes."""

    deployed: Annotated[bool | None, _make_signal_input(gettext_lazy("Is deployed"))] = None
    has_users: Annotated[bool | None, _make_signal_input(gettext_lazy("Has users"))] = None
    holds_personal_data: Annotated[bool | None, _make_signal_input(gettext_lazy("Holds personal data"))] = None
    supported: Annotated[bool | None, _make_signal_input(gettext_lazy("Is supported"))] = None

    def signal_values(self) -> dict[str, bool | None]:
        """Value of each signal by the name of its column."""
        return {name: getattr(self, name) for name in SIGNALS}


class AddProduct(SignalsAct, frozen=True, kw_only=True):
    """Add a product, with nothing in it yet."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ADD_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Add product")
    leading_fields: ClassVar[tuple[str, ...]] = ("name", "id")

    id: Annotated[str, Text(label=gettext_lazy("Id"), most=64, pattern=SLUG_PATTERN, form=SLUG_FORM, recorded=True)]
    name: ProductName

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"product:{self.id}"

    def describe_act(self) -> str:
        return _("add the product %(name)s") % {"name": self.name}

    def check_preconditions(self, context: ActContext) -> None:
        """No other product has the id."""
        if Product.objects.filter(slug=self.id).exists():
            raise _make_id_error()

    def carry_out(self, context: ActContext) -> None:
        try:
            with transaction.atomic():
                Product.objects.create(slug=self.id, name=self.name, **self.signal_values())
        except IntegrityError:  # added by somebody else at the same moment
            raise _make_id_error() from None


class ChangeProduct(SignalsAct, frozen=True, kw_only=True):
    """Describe a product: its name, its sensitive paths, its signals. Two people remove a sensitive path, and a sign
    of life of a product that was retired: without it the product has no meetings.
    """

    actions: ClassVar[tuple[Action, ...]] = (
        Action.CHANGE_PRODUCT,
        Action.REMOVE_SENSITIVE_PATHS,
        Action.RETIRE_PRODUCT,
    )
    title: ClassVar[Label] = gettext_lazy("Describe product")
    leading_fields: ClassVar[tuple[str, ...]] = ("name",)

    product: ProductId
    name: ProductName
    sensitive: Annotated[
        str,
        Text(label=gettext_lazy("Sensitive paths, one a line"), most=50_000, multiline=True, monospace=True),
    ] = ""

    def find_resource(self) -> Resource:
        return Resource(product=self.product)

    def format_subject(self) -> str:
        return f"product:{self.product}"

    def normalise_fields(self) -> Self:
        """Leave all fields as they are. Raises ParseError for paths that no policy could have."""
        paths = Product(sensitive_patterns=self.sensitive).sensitive_paths
        if len(paths) > MOST_PATTERNS:
            sentence = _("Give at most %(most)s paths that protect it.") % {"most": MOST_PATTERNS}
            raise ParseError(InputCode.TOO_LONG, sentence, _("Shorten it."), "sensitive")
        if problem := find_pattern_problem(paths):
            sentence = _("A path that protects it is wrong: %(problem)s.") % {"problem": problem}
            raise ParseError(InputCode.MALFORMED, sentence, _("Correct this path."), "sensitive")
        return self

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The sensitive paths of every product, and whether it shows a sign of life."""
        rows = list(Product.objects.all())
        paths = {(row.slug, path) for row in rows for path in row.sensitive_paths}
        return GuardedFacts(protected=frozenset(paths | {(row.slug, "in use") for row in rows if _is_in_use(row)}))

    def required_action(self) -> Action:
        """Another action, with a second person, where a sensitive path or the last sign of life would be missing."""
        if self._removed_paths():  # of both, the one that fewer people may approve
            return Action.REMOVE_SENSITIVE_PATHS
        return Action.RETIRE_PRODUCT if self._ends_use() else Action.CHANGE_PRODUCT

    def describe_act(self) -> str:
        """The product, and the sensitive paths that it loses."""
        if removed := self._removed_paths():
            details = {"product": self.product, "paths": ", ".join(removed)}
            if self._ends_use():
                sentence = _(
                    "state that %(product)s, which was retired, is not in use, without the sensitive paths %(paths)s"
                )
                return sentence % details
            return _("change the description of %(product)s, and remove the sensitive paths %(paths)s") % details
        if self._ends_use():
            return _("state that %(product)s, which was retired, is not in use") % {"product": self.product}
        return _("change the description of %(product)s") % {"product": self.product}

    def carry_out(self, context: ActContext) -> None:
        """Change the row, and evaluate its changes again."""
        rows = Product.objects.filter(slug=self.product)
        rows.update(name=self.name, sensitive_patterns=self.sensitive, **self.signal_values())
        enqueue("reevaluate-all")

    def _ends_use(self) -> bool:
        product = Product.objects.filter(slug=self.product).first()
        return (
            product is not None
            and product.retired_at is not None
            and _is_in_use(product)
            and all(value is False for value in self.signal_values().values())
        )

    def _removed_paths(self) -> tuple[str, ...]:
        """Current sensitive paths that the new description does not have."""
        remaining = Product(sensitive_patterns=self.sensitive).sensitive_paths
        product = Product.objects.filter(slug=self.product).first()
        return tuple(path for path in (product.sensitive_paths if product is not None else ()) if path not in remaining)


class RetireProduct(ProductAct, frozen=True):
    """Retire a product: nobody uses, sells or supports it, and it holds no personal data. Its records stay."""

    actions: ClassVar[tuple[Action, ...]] = (Action.RETIRE_PRODUCT,)
    title: ClassVar[Label] = gettext_lazy("Retire product")

    reason: GivenReason
    data: Annotated[
        str,
        Text(
            label=gettext_lazy("What happened to the data?"),
            hint=gettext_lazy("Deleted, handed over or archived: by whom, and when. If there was none, say so."),
            most=2000,
            multiline=True,
        ),
    ]
    since: Annotated[
        date | None, Day(label=gettext_lazy("Not in use since"), hint=gettext_lazy("Empty for today."), recorded=True)
    ] = None

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The products, and which of them are retired."""
        rows = Product.objects.values_list("slug", "retired_at")
        return GuardedFacts(protected=frozenset((slug, "retired" if moment else "in use") for slug, moment in rows))

    def describe_act(self) -> str:
        return _("retire the product %(product)s") % {"product": self.product}

    def shown_details(self) -> tuple[str, ...]:
        """Statements that the owner makes by it."""
        since = (self.since or timezone.localdate()).isoformat()
        return (
            _("Since %(day)s nobody uses, sells or supports it, and it holds no personal data.") % {"day": since},
            _("Its data: %(data)s") % {"data": self.data},
        )

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is not retired yet, and that its last day is over."""
        if self.since is not None and self.since > timezone.localdate():
            raise RefusedError("day-ahead", _("This day has not come yet."), _("Choose today or an earlier day."))
        if self.find_product_row().retired_at is not None:
            raise RefusedError("product-retired", _("It was retired already."), _("Nothing is left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Note since when, and that no signal of life is left: a later one makes meetings due again."""
        Product.objects.filter(slug=self.product).update(
            retired_at=timezone.now(),
            retired_since=self.since or timezone.localdate(),
            data_after_retirement=self.data,
            **dict.fromkeys(SIGNALS, False),
        )


def _is_in_use(product: Product) -> bool:
    """Whether a product is in use, as far as its signals say: what nobody stated counts as a sign of life."""
    return product.retired_at is None or any(getattr(product, name) is not False for name in SIGNALS)


def _make_id_error() -> RefusedError:
    return RefusedError("id-taken", _("Another product has this id."), _("Choose another id."))
