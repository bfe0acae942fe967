"""Incidents: broken or bypassed rules; each with an owner, a cause, a deadline and an end."""
