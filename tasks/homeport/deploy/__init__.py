"""Deploying: facts -> plan -> apply -> report."""
