"""The invoke tasks, one thin module each, and the namespace that they form.

A repository's ``tasks.py`` needs one line: ``from homeport.commands import namespace as ns``.
Flows are imported when a task runs, so that ``invoke --list`` stays quick.
"""

from invoke import Collection

from homeport.commands.audit import audit
from homeport.commands.bench import bench
from homeport.commands.build import build
from homeport.commands.ci import generate
from homeport.commands.deploy import deploy, rollback
from homeport.commands.doctor import doctor
from homeport.commands.init import init
from homeport.commands.look import down, logs, releases, status, unlock
from homeport.commands.resources import resources
from homeport.commands.scan import scan
from homeport.commands.stats import stats
from homeport.commands.test import test

namespace = Collection()
for _task in (
    build, test, scan, deploy, rollback, status, stats, logs, releases, unlock, down, resources, audit,
    bench, doctor, init,
):  # fmt: skip
    namespace.add_task(_task)
_ci = Collection("ci")
_ci.add_task(generate)
namespace.add_collection(_ci)
