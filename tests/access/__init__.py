"""The matrix: what each user of Redis may do in each database, tried against a real server."""
