"""Frozen data and pure functions: nothing here reads a file, starts a process or knows the clock."""
