"""Corpora for other programs: a module for each layout that is written."""
