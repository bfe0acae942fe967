"""Gitea and Forgejo, by version 1 of their API, which they share except for additions of a version or a fork."""
