"""Plain-Python text work: views of a text without its disguises, and word matching on them."""
