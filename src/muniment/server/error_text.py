"""Text of an error for people: the present state, and the next step."""

from muniment.errors import MunimentError


def format_error_text(error: MunimentError) -> str:
    """Sentence and remedy of an error, each as a whole sentence, for a page or a message."""
    message = str(error.message)
    message = f"{message[:1].upper()}{message[1:]}"
    return f"{message if message.endswith(('.', '!', '?')) else f'{message}.'} {error.remedy}".strip()
