"""What processes share through Redis, and can do without for a while."""
