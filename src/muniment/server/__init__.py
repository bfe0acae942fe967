"""The web application, its API, and the processes around them."""
