"""Data as the original application wrote them, for trying things out."""
