"""Acts of persons: their common shape, the one parser of their input, and the forms and schemas derived from them."""
