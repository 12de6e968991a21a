"""The `gatehouse` command: check a text, a file or a column; submit; ask where a post stands.

arguments   what can be asked for
acts        each command, and what it prints
columns     a CSV file, row by row
progress    a bar on standard error
"""

from gatehouse_client.command_line.acts import main

__all__ = ["main"]
