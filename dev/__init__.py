"""Our own rules for the code, as tools that `bin/lint` runs."""
