"""The only package that starts programs: the allowed programs and arguments, their environment and limits."""
