"""Keys of another server, brought into the databases that the catalog describes."""
