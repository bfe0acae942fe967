"""What guards it: nothing is reached or written without an action that somebody is allowed."""
