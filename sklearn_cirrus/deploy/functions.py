"""The functions: code from the bucket, a log of their own, no retries by Lambda itself."""

import base64

from .aws import absent, wait_until
from .names import Names, tags
from .objects import Artifact
from .options import Options
from .resource import Found, Kind, NotOurs, Resource, belongs

LOG_DAYS = 14
_HANDLERS = {"worker": "cirrus_runtime.handler.handle", "task": "cirrus_runtime.task.handle"}
_ACTIVE_SECONDS = 300.0  # the first function of a VPC waits for its network interfaces
# An event that found no free concurrency is dropped after a minute: by then the trainer has
# noticed that its worker is silent, and has invoked another.
_EVENT_SECONDS = 60


def describe(
    names: Names, what: str, options: Options, code: Artifact, network: dict | None
) -> list[Resource]:
    """Describe a function with its log; its role is described in :mod:`.roles`.

    Parameters
    ----------
    names : Names
    what : {"worker", "task"}
    options : Options
    code : Artifact
    network : dict, optional
        CloudFormation's ``VpcConfig``.

    Returns
    -------
    list of Resource
    """
    name = what.capitalize()
    log = Resource(
        f"{name}Log",
        LogGroup(),
        {
            "LogGroupName": names.log_group(what),
            "RetentionInDays": LOG_DAYS,
            "Tags": tags(names.stack, f"{what}-log"),
        },
    )
    function = Resource(
        name,
        Function(),
        {
            "FunctionName": names.function(what),
            "Description": f"sklearn_cirrus {what} of the stack {names.stack}",
            "Role": {"Fn::GetAtt": [f"{name}Role", "Arn"]},
            "Runtime": f"python{options.python}",
            "Handler": _HANDLERS[what],
            "Architectures": [options.architecture],
            "Code": {"S3Bucket": code.bucket, "S3Key": code.key},
            "MemorySize": options.memory,
            "Timeout": options.timeout,
            "EphemeralStorage": {"Size": options.tmp_size},
            "ReservedConcurrentExecutions": options.concurrency or None,
            "Environment": {"Variables": {"CIRRUS_STACK": names.stack}},
            "VpcConfig": network,
            "Tags": tags(names.stack, what),
        },
        facts={"code_sha256": base64.b64encode(code.sha256).decode()},
        after=(
            *(log.name, f"{name}Right", f"{name}Code"),
            *((f"{name}VpcRight",) if network else ()),
        ),
    )
    invocation = Resource(
        f"{name}Invocation",
        EventInvokeConfig(),
        {
            "FunctionName": {"Ref": name},
            "Qualifier": "$LATEST",
            "MaximumRetryAttempts": 0,
            "MaximumEventAgeInSeconds": _EVENT_SECONDS,
        },
    )
    return [log, function, invocation]


class LogGroup(Kind):
    type = "AWS::Logs::LogGroup"
    what = "log group"

    def find(self, aws, resource, properties):
        logs, name = aws.client("logs"), properties["LogGroupName"]
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        for page in pages:
            for group in page["logGroups"]:
                if group["logGroupName"] != name:
                    continue
                arn = group["arn"].removesuffix(":*")
                group_tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
                if not belongs(group_tags, resource.facts["stack"]):
                    raise NotOurs(f"log group {name}")
                return Found(name, raw=group)
        return None

    def create(self, aws, resource, properties):
        plain = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
        aws.client("logs").create_log_group(logGroupName=properties["LogGroupName"], tags=plain)

    def current(self, aws, resource, found, properties):
        return {"RetentionInDays": found.raw.get("retentionInDays")}

    def update(self, aws, resource, found, properties, changed):
        aws.client("logs").put_retention_policy(
            logGroupName=found.id, retentionInDays=properties["RetentionInDays"]
        )

    def delete(self, aws, resource, found):
        with absent("ResourceNotFoundException"):
            aws.client("logs").delete_log_group(logGroupName=found.id)


_CODE = {"Code", "Architectures"}
_CONFIGURATION = (
    *("Description", "Role", "Runtime", "Handler", "MemorySize", "Timeout"),
    *("EphemeralStorage", "Environment", "VpcConfig"),
)


class Function(Kind):
    type = "AWS::Lambda::Function"
    what = "function"

    def find(self, aws, resource, properties):
        name = properties["FunctionName"]
        with absent("ResourceNotFoundException"):
            answer = aws.client("lambda").get_function(FunctionName=name)
            if not belongs(answer.get("Tags"), resource.facts["stack"]):
                raise NotOurs(f"function {name}")
            return Found(name, {"Arn": answer["Configuration"]["FunctionArn"]}, answer)
        return None

    def create(self, aws, resource, properties):
        settings = {name: properties[name] for name in _CONFIGURATION if properties[name]}
        aws.client("lambda").create_function(
            FunctionName=properties["FunctionName"],
            Code=properties["Code"],
            Architectures=properties["Architectures"],
            Tags={tag["Key"]: tag["Value"] for tag in properties["Tags"]},
            **settings,
        )
        self._wait(aws, properties["FunctionName"])

    def current(self, aws, resource, found, properties):
        now = found.raw["Configuration"]
        values = {name: now.get(name) for name in (*_CONFIGURATION, "Architectures")}
        values["VpcConfig"] = _network(now.get("VpcConfig"))
        values["Environment"] = {"Variables": now.get("Environment", {}).get("Variables", {})}
        same = now["CodeSha256"] == resource.facts["code_sha256"]
        values["Code"] = properties["Code"] if same else None
        reserved = found.raw.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        values["ReservedConcurrentExecutions"] = reserved
        return values

    def update(self, aws, resource, found, properties, changed):
        client = aws.client("lambda")
        self._wait(aws, found.id)
        settings = {name: properties[name] for name in _CONFIGURATION if name in changed}
        if settings:
            if "VpcConfig" in settings and settings["VpcConfig"] is None:
                settings["VpcConfig"] = {"SubnetIds": [], "SecurityGroupIds": []}
            client.update_function_configuration(FunctionName=found.id, **settings)
            self._wait(aws, found.id)
        if changed & _CODE:
            client.update_function_code(
                FunctionName=found.id,
                Architectures=properties["Architectures"],
                **properties["Code"],
            )
            self._wait(aws, found.id)
        if "ReservedConcurrentExecutions" in changed:
            reserved = properties["ReservedConcurrentExecutions"]
            if reserved:
                client.put_function_concurrency(
                    FunctionName=found.id, ReservedConcurrentExecutions=reserved
                )
            else:
                client.delete_function_concurrency(FunctionName=found.id)

    def delete(self, aws, resource, found):
        with absent("ResourceNotFoundException"):
            aws.client("lambda").delete_function(FunctionName=found.id)

    def _wait(self, aws, name: str) -> None:
        """Wait until the function can be used and changed."""

        def settled():
            now = aws.client("lambda").get_function_configuration(FunctionName=name)
            # A function that failed to start or to change takes further changes.
            return now.get("State") != "Pending" and now.get("LastUpdateStatus") != "InProgress"

        wait_until(settled, _ACTIVE_SECONDS, f"the function {name} did not become active")


def _network(configuration) -> dict | None:
    """Return a VpcConfig as it was given, None if it is empty."""
    if not configuration or not configuration.get("SubnetIds"):
        return None
    return {
        "SubnetIds": configuration["SubnetIds"],
        "SecurityGroupIds": configuration["SecurityGroupIds"],
    }


class EventInvokeConfig(Kind):
    type = "AWS::Lambda::EventInvokeConfig"
    what = "rule for asynchronous invocations"

    def find(self, aws, resource, properties):
        if not isinstance(properties["FunctionName"], str):
            return None
        with absent("ResourceNotFoundException"):
            answer = aws.client("lambda").get_function_event_invoke_config(
                FunctionName=properties["FunctionName"]
            )
            return Found(properties["FunctionName"], raw=answer)
        return None

    def create(self, aws, resource, properties):
        aws.client("lambda").put_function_event_invoke_config(
            FunctionName=properties["FunctionName"],
            MaximumRetryAttempts=properties["MaximumRetryAttempts"],
            MaximumEventAgeInSeconds=properties["MaximumEventAgeInSeconds"],
        )

    def current(self, aws, resource, found, properties):
        names = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
        return {name: found.raw.get(name) for name in names}

    def update(self, aws, resource, found, properties, changed):
        self.create(aws, resource, properties)

    def delete(self, aws, resource, found):
        with absent("ResourceNotFoundException"):
            aws.client("lambda").delete_function_event_invoke_config(FunctionName=found.id)
