"""GitHub, as an App: github.com, Enterprise Cloud and Enterprise Server."""
