"""Scripts for the repository itself: the set-up and the lock files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the checkout."""
