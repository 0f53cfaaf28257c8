"""The audit of the images: what they consist of and what is known to be wrong with it."""
