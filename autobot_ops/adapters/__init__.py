"""The only modules that start processes or speak to the Docker engine."""
