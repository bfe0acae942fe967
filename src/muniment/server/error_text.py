"""The text of an error for people: what is so, and what to do next."""

from muniment.errors import MunimentError


def error_text(error: MunimentError) -> str:
    """The sentence and the remedy of an error, each as a whole sentence, for a page or a message."""
    message = str(error.message)
    message = f"{message[:1].upper()}{message[1:]}"
    return f"{message if message.endswith(('.', '!', '?')) else f'{message}.'} {error.remedy}".strip()
