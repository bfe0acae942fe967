"""Security requirements of products: the state of each, statements of people, named tests, and official lists."""
