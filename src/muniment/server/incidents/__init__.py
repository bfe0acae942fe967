"""Incidents: rules that were broken, or gone past with leave; each with an owner, a cause, a deadline and an end."""
