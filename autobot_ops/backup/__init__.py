"""Archives: what a backup takes, and how it is kept."""
