"""Products, their repositories and environments, and the state of each against the policy."""
