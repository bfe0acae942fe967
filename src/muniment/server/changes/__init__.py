"""Changes of protected branches, and every decision on them."""
