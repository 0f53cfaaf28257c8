"""Who may reach what: secrets, and the users of Redis with exactly the rights that the catalog grants."""
