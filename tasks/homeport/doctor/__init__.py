"""Check the machine: what is there, what is missing, and the next step for each."""
