"""Routes of an application, read from its source by parsing: nothing of it is imported or run."""
