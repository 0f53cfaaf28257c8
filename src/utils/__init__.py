"""Access to the stack's Redis databases by name."""
