"""Engine for secrets: credentials that are written in files, in archives and in binary files."""
