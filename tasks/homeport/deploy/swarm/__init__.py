"""The backend for Docker Swarm: the same files, on several machines.

facts.py reads, document.py and plan.py decide, apply.py tells Swarm and waits for what verdict.py says;
records.py keeps releases with the swarm, private.py what they must not hold, past.py puts old ones together.
"""

from homeport.deploy.swarm.flow import deploy, rollback
from homeport.deploy.swarm.look import down, logs, releases, status, unlock

__all__ = ["deploy", "down", "logs", "releases", "rollback", "status", "unlock"]
