import pytest

from dev import error_texts


@pytest.mark.parametrize(
    "source",
    [
        "raise UsageError('it is not allowed', 'x')",
        "raise RefusedError('taken', _('It is taken.'), 'Choose another.')",
        "raise RefusedError('taken', f'{name} is taken.', _('Choose another.'))",
        "raise GitError('%s is gone' % name, REMEDY)",
        "raise GitError('{} is gone'.format(name), REMEDY)",
        "raise errors.StoreError(*('it is gone', REMEDY))",
        "raise StoreError('it is gone' if gone else '', REMEDY)",
        "problem = ParseError('code', message='It is wrong.', remedy=_('Mend it.'))",
        "raise ApiProblem(404, 'not-found', 'There is none.')",
    ],
)
def test_sentence_without_translation_mark_is_refused(source: str) -> None:
    assert {breach.message for breach in error_texts.find_breaches(source)} == {error_texts.UNMARKED}


@pytest.mark.parametrize(
    "source",
    [
        "raise RefusedError('taken', _('It is taken.'), _('Choose another.'))",
        "raise RefusedError('taken', _('%(name)s is taken.') % {'name': name}, REMEDY)",
        "raise ParseError('no-policy', f'{error.message}.', error.remedy, 'text')",
        "raise RefusedError(error.code, f'{row.place}: {error.message}', error.remedy)",
        "raise TypeError('a field needs exactly one Input')",
        "raise PermissionDenied('this address names no action')",
        "tell([person], 'A message is no error.', '/me')",
    ],
)
def test_marked_sentence_code_and_defect_are_accepted(source: str) -> None:
    assert error_texts.find_breaches(source) == []


def test_service_has_no_sentence_without_translation_mark(capsys: pytest.CaptureFixture[str]) -> None:
    assert error_texts.main() == 0
