"""Build images in topological order: facts -> plan -> apply -> report."""
