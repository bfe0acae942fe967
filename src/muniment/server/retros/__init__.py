"""Security retros: six subjects, from anonymous feedback to a schedule of improvements."""
