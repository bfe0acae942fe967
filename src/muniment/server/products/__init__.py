"""What is sold or run: products, their repositories and environments, and how each stands against the policy."""
