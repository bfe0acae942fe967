import pytest

from dev import typed_acts


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise ValueError", typed_acts.RAISED),
        ("def f():\n    raise ValueError('Give it a name.')", typed_acts.RAISED),
        ("raise ValueError(_('x')) from None", typed_acts.RAISED),
        ("slug = what['id']", typed_acts.UNTYPED),
        ("what['done'] = digest", typed_acts.UNTYPED),
        ("try:\n    f()\nexcept ValueError as error:\n    messages.error(request, str(error))", typed_acts.SHOWN),
        ("try:\n    f()\nexcept (OSError, ValueError) as error:\n    g(f'no: {error}')", typed_acts.SHOWN),
    ],
)
def test_untyped_act_is_refused(source: str, message: str) -> None:
    assert [breach.message for breach in typed_acts.find_breaches(source)] == [message]


@pytest.mark.parametrize(
    "source",
    [
        "raise RefusedError('taken', _('It is taken.'), _('Choose another.'))",
        "raise",
        "try:\n    number = int(text)\nexcept ValueError:\n    number = 0",
        "try:\n    f()\nexcept OSError as error:\n    g(str(error))",
        "try:\n    f()\nexcept ValueError as error:\n    raise Refused(str(other)) from error",
        "given['id']",
    ],
)
def test_typed_act_is_accepted(source: str) -> None:
    assert typed_acts.find_breaches(source) == []
