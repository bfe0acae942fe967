"""Pages about several apps: the overview, a product, search, the ledger, the queue, the glossary; the frame of all."""
