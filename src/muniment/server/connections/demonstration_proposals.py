"""Pull requests that are open in the demonstration: ready, and blocked for each of several reasons."""

from typing import NamedTuple

_LONG = "".join(f"FIELD_{number} = {number}\n" for number in range(640))
_STRANGER = "Deva <deva@old-laptop.example>"


class DemonstrationProposal(NamedTuple):
    """Pull request to be opened. `reviewers` approve it in this order; `by` opens and pushes it."""

    title: str
    by: str
    files: dict[str, str]
    reviewers: tuple[str, ...] = ()
    rejected_by: str = ""
    author: str = ""
    tests_pass: bool = True


# Each with its product, and the days for which it has been open.
OPEN_PROPOSALS: tuple[tuple[str, float, DemonstrationProposal], ...] = (
    (
        "patient-portal",
        6,
        DemonstrationProposal(
            "Add passkey sign-in",
            "priya-nair",
            {"sign_in/passkeys.py": "def verify() -> bool:\n    return True\n"},
            ("noah-patel", "tomas-rivera"),
        ),
    ),
    (
        "patient-portal",
        2,
        DemonstrationProposal(
            "Fix date format in appointments",
            "samuel-osei",
            {"app/dates.py": "FORMAT = '%d %b %Y'\n"},
            ("priya-nair", "ines-duarte"),
        ),
    ),
    (
        "patient-portal",
        1,
        DemonstrationProposal(
            "Check the target after sign-in",
            "tomas-rivera",
            {"app/targets.py": "ALLOWED = ('/visits',)\n"},
            ("samuel-osei",),
        ),
    ),
    (
        "patient-portal",
        3,
        DemonstrationProposal(
            "Import clinic list", "noah-patel", {"app/clinics.py": _LONG}, ("priya-nair", "ines-duarte")
        ),
    ),
    (
        "claims-api",
        4,
        DemonstrationProposal(
            "Round amounts once",
            "liam-byrne",
            {"payments/rounding.py": "DIGITS = 2\n"},
            ("noah-patel",),
            "aiko-tanaka",
        ),
    ),
    (
        "claims-api",
        2,
        DemonstrationProposal("Answer faster for large claims", "aiko-tanaka", {"app/claims.py": "PAGE = 50\n"}),
    ),
    (
        "lab-gateway",
        5,
        DemonstrationProposal(
            "Read results of the new analyser",
            "marek-novak",
            {"app/analyser.py": "BAUD = 9600\n"},
            ("aiko-tanaka", "liam-byrne"),
            author=_STRANGER,
        ),
    ),
    (
        "mobile-app",
        1,
        DemonstrationProposal(
            "Show visits without a connection",
            "zoe-laurent",
            {"app/offline.py": "CACHE = True\n"},
            ("tomas-rivera", "samuel-osei"),
            tests_pass=False,
        ),
    ),
    (
        "identity-service",
        2,
        DemonstrationProposal(
            "Shorten the life of tokens",
            "ines-duarte",
            {"tokens/life.py": "MINUTES = 15\n"},
            ("noah-patel", "maya-okafor"),
        ),
    ),
    (
        "billing",
        3,
        DemonstrationProposal(
            "Print invoices in colour", "fatima-haddad", {"app/print.py": "COLOUR = True\n"}, ("liam-byrne",)
        ),
    ),
    (
        "notifications",
        1,
        DemonstrationProposal(
            "Send reminders in the morning",
            "marek-novak",
            {"app/hours.py": "HOUR = 8\n"},
            ("fatima-haddad", "zoe-laurent"),
        ),
    ),
    (
        "imaging-viewer",
        4,
        DemonstrationProposal(
            "Add the vendor's decoder", "jun-park", {"app/decoder.py": _LONG}, ("noah-patel", "aiko-tanaka")
        ),
    ),
    (
        "clinic-scheduler",
        2,
        DemonstrationProposal(
            "Update Django to 5.2.9", "update-bot", {"requirements.txt": "django==5.2.9\n"}, ("samuel-osei",)
        ),
    ),
    (
        "consent-manager",
        1,
        DemonstrationProposal("Explain each consent", "tomas-rivera", {"app/texts.py": "TEXTS = {}\n"}),
    ),
)
