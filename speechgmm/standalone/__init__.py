"""A scorer that needs numpy alone, in two halves, which ``engine/scorer_file.py`` writes as one file."""
