"""``homeport audit``: what Dockerfiles, contexts and Compose files do badly, and mending that."""
