"""Knows who watches and what each has applied: this replica's in memory, everybody's in the store."""
