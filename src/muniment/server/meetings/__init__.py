"""Security reviews and retros as meetings: who takes part, when they are due, invitations and reminders."""
