"""Access control: one table of roles and actions, and one function that reads it."""
