"""Readers of corpora, one module per kind; each returns a ``Corpus``."""
