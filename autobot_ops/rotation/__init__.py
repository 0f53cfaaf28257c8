"""Rotation of secrets while the stack runs: old and new hold together until everybody has the new one."""
