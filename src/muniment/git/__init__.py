"""Plain git as a source of facts: history, contributors, files, machine merges, signatures, approvals as refs."""
