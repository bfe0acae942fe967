"""The append-only ledger: records, Merkle tree, checkpoints, proofs, keys and verification."""
