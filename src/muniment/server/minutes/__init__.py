"""Minutes of meetings: what was decided, who was there, who signed, and what became of the actions."""
