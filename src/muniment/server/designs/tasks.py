"""Background jobs of designs: evaluations of products and of changes."""

from django.conf import settings

from muniment.server.changes.models import Change
from muniment.server.designs.change_designs import evaluate_design_before_and_after, list_due_changes
from muniment.server.designs.evaluating import evaluate_product_design, list_due_products
from muniment.server.job_queue import enqueue, register_periodic_task, register_task
from muniment.server.products.models import Product

_MINUTE = 60


@register_task("evaluate-design")
def evaluate_design_of_product(product: int) -> None:
    """Evaluate the design of a product."""
    row = Product.objects.filter(pk=product, retired_at=None).first()
    if row is not None and not settings.DEMONSTRATION:  # the repositories of a demonstration have no code
        evaluate_product_design(row)


@register_task("evaluate-change-design")
def evaluate_open_change_design(change: int) -> None:
    """Evaluate the design before and after a change."""
    rows = Change.objects.select_related("repository__product", "decision")
    row = rows.filter(pk=change, state=Change.State.OPEN).first()
    if row is not None and not settings.DEMONSTRATION:
        evaluate_design_before_and_after(row)


@register_periodic_task("evaluate-due-designs", every=_MINUTE)
def evaluate_due_designs() -> None:
    """Enqueue the evaluation of each design that is due."""
    if settings.DEMONSTRATION:
        return
    for product in list_due_products():
        enqueue("evaluate-design", product=product)
    for change in list_due_changes():
        enqueue("evaluate-change-design", change=change)
