"""One class an act. Acts that share an address are joined at the foot of their file."""
