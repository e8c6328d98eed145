"""The flow of ``bench``: what builds and deploys of a repository take, beside what was promised."""
