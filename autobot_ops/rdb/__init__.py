"""Redis' own replication stream and RDB files: read, split per database, checked, fingerprinted.

A library of its own: it knows neither tiers nor catalogs, prints nothing and keeps nothing. The usual way
is a `ReplicationStream` given to a `Splitter` (files per database) or a `Reader` (entries), and `KeyDigests`
with a `Fingerprinter` per database. docs/formats/rdb.md has the format.
"""
