"""Moving the keys of an old installation from database 0 into the databases that the catalog describes."""
