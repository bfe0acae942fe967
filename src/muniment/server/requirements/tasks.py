"""Background jobs of requirements: results of the tests that teams named."""

from django.conf import settings

from muniment.server.job_queue import LONG_SECONDS, enqueue, register_periodic_task, register_task
from muniment.server.requirements import named_tests

_EVERY = 10 * 60


@register_task("read-named-tests", LONG_SECONDS, share_slots=True)
def read_named_tests(product: int) -> None:
    """Read the results of the named tests of a product."""
    named_tests.read_product_tests(product)


@register_periodic_task("read-due-named-tests", every=_EVERY)
def read_due_named_tests() -> None:
    """Enqueue the reading of each product with a named test."""
    if not settings.DEMONSTRATION:  # the repositories of a demonstration run no test
        for product in named_tests.list_products_with_tests():
            enqueue("read-named-tests", product=product)
