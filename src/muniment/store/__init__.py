"""What an installation keeps: one interface, and its implementations."""
