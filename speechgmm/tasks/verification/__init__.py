"""Whether a claim is true: trials of a model against a test recording."""
