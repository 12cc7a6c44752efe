"""Scripts of the repository itself, such as its set-up."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
