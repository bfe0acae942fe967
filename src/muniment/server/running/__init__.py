"""What makes the service run: its database, its processes, its backups, and a look at whether it is well."""
