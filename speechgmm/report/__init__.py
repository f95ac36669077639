"""The report of a run as one page, and results as text."""
