"""`python -m ops.preflight`."""

from ops.preflight.run import main

main()
