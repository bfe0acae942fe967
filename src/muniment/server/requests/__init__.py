"""What one person asked for, and waits for another."""
