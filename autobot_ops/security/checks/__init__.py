"""The checks by subject. Each is a pure function from what was seen to an answer."""
