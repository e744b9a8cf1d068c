"""``python -m pynomaly`` is the command ``pynomaly``."""

from pynomaly.cli import main

main()
