"""Files: audio in, features and models in and out."""
