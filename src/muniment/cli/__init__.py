"""The command line: one module per command, named by hand in `commands`."""
