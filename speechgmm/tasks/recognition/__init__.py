"""Which words or phones are said in a recording, and when."""
