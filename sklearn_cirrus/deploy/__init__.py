"""Puts up, changes and removes what fits on AWS need. READ FIRST: ``plan.py``, then ``engine.py``.

- ``names``: what everything is called; ``options``: what a user may choose;
- ``plan``: all resources of a stack, from ``bucket``, ``objects``, ``roles`` (and ``policies/``),
  ``functions``, ``network``, ``host`` (and ``server_setup.sh``), ``server_url`` and ``record``;
- ``resource`` and the ``*_kinds``: how each kind of resource is found, made, changed, removed;
- ``engine``: brings AWS to the plan; ``operations``: deploy and destroy; ``template``: the plan
  for CloudFormation; ``estimate``: its price; ``command``: the command line.

boto3 is imported when AWS is first asked.
"""

from .operations import deploy, destroy
from .record import Deployment, load_deployment

__all__ = ["Deployment", "deploy", "destroy", "load_deployment"]
