"""The only room that talks to Docker and to registries, and the only one that starts processes."""
