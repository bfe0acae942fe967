"""Secure design: a model kept with the code, the six principles evaluated on it, and routes read from the code."""
