"""The limits of services: planned by tier, and written into Compose files line by line."""
