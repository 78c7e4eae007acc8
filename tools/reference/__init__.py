"""Writes the reference pages out of what they are about: dagctl, the Python client, the contract."""
