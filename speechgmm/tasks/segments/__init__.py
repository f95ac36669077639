"""Classification of segments with known boundaries."""
