"""Archives: what a tier's backup is on disk, how it is made, checked, kept and given up."""
