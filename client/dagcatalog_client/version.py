"""The version of the distribution, for wheels, Status and user agents."""

__version__ = "0.1.0"
