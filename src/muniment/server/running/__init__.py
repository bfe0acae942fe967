"""Running the service: its database, its processes, its backups, and the checks of `muniment doctor`."""
