"""The record that only grows. So far: the key that will sign it."""
