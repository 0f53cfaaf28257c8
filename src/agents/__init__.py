"""The five agents: one shared server (`server`), one module per role, found through `registry`."""
