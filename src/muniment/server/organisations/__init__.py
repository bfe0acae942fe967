"""A whole organisation at a forge: which repositories are connected, to which products, and who its people are."""
