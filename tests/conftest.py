"""Fixtures that every test may use. The stack itself is made in stack.py."""
