"""Who is who: people, what proves it is them, and the roles that they hold."""
