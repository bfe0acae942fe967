"""Complete mediation and database privileges: no address and no table is used without an allowed action."""
