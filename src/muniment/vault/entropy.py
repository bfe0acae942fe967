"""Estimates how hard a text is to guess, to tell words in a secret's JSON from keys in it."""

import re

_HEX = re.compile(r"[0-9A-Fa-f-]+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?)?")
_TOKEN = re.compile(r"[^\W_]+")
_RUN = re.compile(r"\d+|[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]?[^\W\d_A-Z]+|[A-Z]+")  # one case, or a capital first
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxyz]{5}", re.IGNORECASE)
_LONGEST_WORD = 12  # letters; a longer run is taken for random ones
_DICTIONARY, _LETTER, _LETTERS, _DIGIT, _LOWER_DIGIT, _ALNUM = 13.0, 4.7, 5.7, 3.3, 5.17, 5.95  # bits each
_NEW_SIGN, _SIGN = 5.0, 1.0  # of a sign that stands there for the first time, or again
_DISTINCT = 7.0  # for each distinct character, at most


def estimate_bits(text: str) -> float:
    """Estimate the bits that a guesser lacks: a word counts as one of a dictionary, any other character as a random
    one.
    """
    if _MOMENT.fullmatch(text):
        return 0.0
    most = _DISTINCT * len(set(text))
    if _HEX.fullmatch(text):
        return min(most, 4.0 * sum(sign != "-" for sign in text))
    signs = [sign for sign in text if not sign.isalnum()]
    bits = _NEW_SIGN * len(set(signs)) + _SIGN * (len(signs) - len(set(signs)))
    return min(most, bits + sum(_count_token(found[0]) for found in _TOKEN.finditer(text)))


def _count_token(token: str) -> float:
    runs = _RUN.findall(token)
    if len(runs) > 3 or (len(runs) > 1 and not all(run.isdigit() or (len(run) > 3 and _is_word(run)) for run in runs)):
        return len(token) * (_LOWER_DIGIT if token == token.lower() or token == token.upper() else _ALNUM)
    return sum(map(_count_run, runs))


def _count_run(run: str) -> float:
    if run.isdigit():
        return _DIGIT * len(run)
    if _is_word(run):
        return min(_DICTIONARY, _LETTER * len(run))
    return len(run) * (_LETTER if run in (run.lower(), run.upper()) else _LETTERS)


def _is_word(run: str) -> bool:
    vowels = sum(letter in "aeiouyAEIOUY" or not letter.isascii() for letter in run)
    plausible = 0.2 <= vowels / len(run) <= 0.8 and not _CONSONANTS.search(run)
    return len(run) <= _LONGEST_WORD and plausible and _WORD.fullmatch(run) is not None
