"""The same stack as a CloudFormation template.

The resources are the very ones that deploy makes; account, region and partition are left to
CloudFormation. What it has no word for is a parameter: where the user has put the files, and the
SHA-256 of the server's password. It cannot make a secret parameter either: docs/deploy.md says
what is to be done by hand after the stack is up.
"""

import json
import re

from .names import Names
from .objects import Artifact
from .options import Options
from .plan import Artifacts, describe_stack

_PARAMETERS = {
    "CodeBucket": "Bucket of this region that holds the files named below",
    "WorkerKey": "Key of the worker's bundle (sklearn-cirrus bundle makes it)",
    "TaskKey": "Key of the bundle for tasks",
    "ModuleKey": "Key of cirrus.so for the server's host",
    "ServerPasswordSha256": "SHA-256 of the server's password, in hexadecimal digits",
}
_PLACEHOLDER = re.compile(r"\$\{[A-Za-z:]+\}")


def make_template(stack: str, options: Options, runtime: str) -> dict:
    """Return a stack as a CloudFormation template.

    Parameters
    ----------
    stack : str
    options : Options
    runtime : str
        Version of sklearn_cirrus in the functions.

    Returns
    -------
    dict
        To be written as JSON.
    """

    def file(key: str) -> Artifact:
        return Artifact("${CodeBucket}", f"${{{key}}}")

    resources = describe_stack(
        Names.for_template(stack),
        options,
        Artifacts(file("WorkerKey"), file("TaskKey"), file("ModuleKey")),
        runtime=runtime,
        password_sha256="${ServerPasswordSha256}",
    )
    resources = [resource for resource in resources if resource.kind.in_template]
    names = {resource.name for resource in resources}
    body = {}
    for resource in resources:
        entry = {
            "Type": resource.kind.type,
            "Properties": {
                name: _render(value)
                for name, value in resource.properties.items()
                if value is not None
            },
        }
        after = [name for name in resource.after if name in names]
        if after:
            entry["DependsOn"] = after
        body[resource.name] = entry
    text = json.dumps(body)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"sklearn_cirrus: the stack {stack}",
        "Parameters": {
            name: {"Type": "String", "Description": description}
            for name, description in _PARAMETERS.items()
            if f"${{{name}}}" in text
        },
        "Resources": body,
        "Outputs": {
            "Bucket": {"Value": {"Ref": "Bucket"}},
            "Worker": {"Value": {"Ref": "Worker"}},
        },
    }


def _render(value):
    """Let CloudFormation fill in what stands for it in a text."""
    if isinstance(value, list):
        return [_render(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            # A text without a placeholder is itself.
            return value if _PLACEHOLDER.search(value["Fn::Sub"]) else value["Fn::Sub"]
        return {name: _render(item) for name, item in value.items() if item is not None}
    if isinstance(value, str) and _PLACEHOLDER.search(value):
        return {"Fn::Sub": value}
    return value
