"""Invoke's tasks, by subject: each loads the settings, calls the library and shows what it returns."""
