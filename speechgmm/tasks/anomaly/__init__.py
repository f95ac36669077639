"""How far a recording is from what is normal, and when."""
