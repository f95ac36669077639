"""The tasks, a folder each: mathematics, training, evaluation, model file, report and command. Imports none of them."""
