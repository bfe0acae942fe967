"""GitLab: gitlab.com, self-managed and dedicated, with a group's token or an OAuth application's."""
