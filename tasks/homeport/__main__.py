"""``python -m homeport``."""

from homeport.program import main

main()
