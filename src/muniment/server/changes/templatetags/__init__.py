"""What templates can do more."""
