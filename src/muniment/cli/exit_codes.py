"""Exit codes of the command line, as `muniment --help` lists them. Errors carry theirs (`muniment.errors`)."""

OK, WRONG_USE, FAILED, INTERRUPTED = 0, 2, 3, 130
READER_GONE = 141  # as a shell says of what SIGPIPE ended: neither a yes, nor a failure of ours
