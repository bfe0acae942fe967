"""One module per thing that happens: collect, judge, record, act. What stands behind a collector is not known here."""
