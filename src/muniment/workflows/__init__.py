"""One module per workflow: collect, evaluate, record, act. The source behind a collector is not known here."""
