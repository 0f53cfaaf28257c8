"""The agents that compute with models, with light models in their place."""
