"""Template filters of deployments."""
