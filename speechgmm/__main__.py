"""``python -m speechgmm``."""

from speechgmm.cli import main

main()
