"""Our own judges: on this machine, asked first, without a key."""
