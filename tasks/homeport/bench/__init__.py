"""The flow of ``bench``: what builds and deploys of this repository take, measured, beside what was promised."""
