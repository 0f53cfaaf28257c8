"""What an image consists of, and what is known to be wrong with it."""
