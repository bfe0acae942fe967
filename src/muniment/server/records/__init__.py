"""Home in PostgreSQL: documents, objects, exceptions, and the ledger as rows."""
