"""One interface behind which each forge stands: what it says of a change, what is said there, and what binds."""
