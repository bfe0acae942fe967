"""Designs of products: the results of the six principles, pictures, and threats with their answers."""
