"""Recordings of unknown speakers or sounds into groups."""
