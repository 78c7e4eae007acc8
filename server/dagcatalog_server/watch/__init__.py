"""Runs watches: what each asked for, from the ring that all share or from the log."""
