"""The one place that starts programs: which there are, what each may be told, its environment and its limits."""
