"""The flow of ``homeport scan``: what is known to be wrong with the images, and in the repository."""
