"""Components of pages, as template tags: icons, statuses, cards, charts, dates and people."""
