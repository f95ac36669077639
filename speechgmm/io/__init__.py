"""Files: recordings, features, labels, scores and models, read and written."""
