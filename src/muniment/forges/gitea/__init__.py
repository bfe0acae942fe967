"""Gitea and Forgejo, by version 1 of their API, which they share but for what a version or a fork added."""
