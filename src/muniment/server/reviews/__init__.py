"""Security reviews: their agenda, and the requirements that the market has."""
