"""Release lines of frameworks, and the day on which the support of each by its own project ends.

Sources, read through https://endoflife.date in July 2026: https://www.djangoproject.com/download/#supported-versions,
https://nextjs.org/support-policy, https://spring.io/projects/spring-boot#support and
https://spring.io/projects/spring-framework#support. Paid support by others does not count. Flask, FastAPI and React
state no days, and Rails is not recognised because locks of Bundler are not read.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

NO_END_YET = "9999-12-31"  # supported until the next line is out


class FrameworkSupport(Struct, frozen=True):
    """Framework: its packages, as ecosystem and name, and the last day of support by line, the oldest line first."""

    name: str
    packages: tuple[tuple[str, str], ...]
    ends: Mapping[str, str]


SUPPORTED_FRAMEWORKS = (
    FrameworkSupport(
        "Django",
        (("PyPI", "django"),),
        {
            "3.2": "2024-04-01",
            "4.0": "2023-04-01",
            "4.1": "2023-12-01",
            "4.2": "2026-04-07",
            "5.0": "2025-04-02",
            "5.1": "2025-12-03",
            "5.2": "2028-04-30",
            "6.0": "2027-04-30",
        },
    ),
    FrameworkSupport("Next.js", (("npm", "next"),), {"14": "2025-10-26", "15": "2026-10-21", "16": NO_END_YET}),
    FrameworkSupport(
        "Spring Boot",
        (
            ("Maven", "org.springframework.boot:spring-boot-starter-parent"),
            ("Maven", "org.springframework.boot:spring-boot-starter-web"),
            ("Maven", "org.springframework.boot:spring-boot-starter"),
            ("Maven", "org.springframework.boot:spring-boot"),
        ),
        {
            "3.0": "2023-12-31",
            "3.1": "2024-06-30",
            "3.2": "2024-12-31",
            "3.3": "2025-06-30",
            "3.4": "2025-12-31",
            "3.5": "2026-06-30",
            "4.0": "2026-12-31",
            "4.1": "2027-07-31",
        },
    ),
    FrameworkSupport(
        "Spring Framework",
        (
            ("Maven", "org.springframework:spring-core"),
            ("Maven", "org.springframework:spring-context"),
            ("Maven", "org.springframework:spring-web"),
            ("Maven", "org.springframework:spring-webmvc"),
        ),
        {
            "5.2": "2021-12-31",
            "5.3": "2024-08-31",
            "6.0": "2024-06-30",
            "6.1": "2025-06-30",
            "6.2": "2026-06-30",
            "7.0": "2027-06-30",
        },
    ),
)
_NUMBERS = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?(?![\d!])")


def find_framework(ecosystem: str, package: str) -> FrameworkSupport | None:
    """Framework that a package belongs to; None for all others."""
    return next((each for each in SUPPORTED_FRAMEWORKS if (ecosystem, package) in each.packages), None)


def find_support_end(framework: str, version: str) -> str | None:
    """Last day of support of the line of a version; None if this table does not know the line.

    A line that is older than all of the table has ended by the day of the oldest one.
    """
    support = next((each for each in SUPPORTED_FRAMEWORKS if each.name == framework), None)
    numbers = _NUMBERS.match(version)
    if support is None or numbers is None:
        return None
    lines = {tuple(map(int, line.split("."))): end for line, end in support.ends.items()}
    length = len(next(iter(lines)))
    line = (int(numbers[1]), int(numbers[2] or 0))[:length]
    return next(iter(lines.values())) if line < next(iter(lines)) else lines.get(line)
