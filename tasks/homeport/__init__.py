"""homeport: one build-and-deploy pipeline for repositories of many Docker Compose services."""

__version__ = "0.1.0"
