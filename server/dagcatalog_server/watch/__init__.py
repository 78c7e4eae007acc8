"""Tells watchers what changed: one tail of the change log a replica, one ring that all share."""
