"""Plain git as a source of facts: history, hands, files, machine merges, signatures, approvals as refs."""
