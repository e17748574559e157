"""The training engine of ptrain: one experiment file in, one run directory out."""

__version__ = "0.1.0"
