"""A function's configuration: what is checked of it, what is kept, what its processes get of it."""

import re

from ._errors import ApiError, invalid, unacceptable
from ._launch import Launch
from ._limits import ENVIRONMENT, MEMORY_MIB, STORAGE_MIB, TIMEOUT_SECONDS

NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
_HANDLER = re.compile(r"[^\s]{1,128}")
_ROLE = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
_VARIABLE = re.compile(r"[a-zA-Z]([a-zA-Z0-9_])+")
_ARCHITECTURES = ("x86_64", "arm64")
# What boto3 may set and is merely given back; the emulator does nothing with it.
_ECHOED = (
    "VpcConfig",
    "DeadLetterConfig",
    "TracingConfig",
    "KMSKeyArn",
    "LoggingConfig",
)
_REFUSED = (
    "Layers",
    "FileSystemConfigs",
    "ImageConfig",
    "CapacityProviderConfig",
    "DurableConfig",
    "TenancyConfig",
)
RESERVED_VARIABLES = frozenset(
    """_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV
    AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION
    AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME
    AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
    AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR""".split()
)
_DEFAULTS = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "EphemeralStorage": {"Size": STORAGE_MIB[0]},
    "PackageType": "Zip",
    "Architectures": ["x86_64"],
    "TracingConfig": {"Mode": "PassThrough"},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}


def checked(request: dict, is_new: bool) -> dict:
    """Give the part of a request that is configuration, as the API shows it.

    Raises
    ------
    ApiError
        A value that Lambda would refuse, or that is not emulated.
    """
    for name in _REFUSED:
        if request.get(name):
            raise invalid(f"{name} is not emulated.")
    if request.get("PackageType", "Zip") != "Zip":
        raise invalid("Container images are not emulated; give a zip.")
    if request.get("Publish"):
        raise invalid("Versions are not emulated, only $LATEST; leave Publish out.")
    if (request.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        raise invalid("SnapStart is not emulated.")
    required = ("Role", "Handler", "Runtime") if is_new else ()
    for name in required:
        if not request.get(name):
            raise invalid(f"{name} is mandatory for functions created with deployment packages.")
    found = dict(_DEFAULTS) if is_new else {}
    found.update(
        (name, request[name]) for name in ("Description", *_ECHOED) if request.get(name) is not None
    )
    for name, pattern in (("Role", _ROLE), ("Handler", _HANDLER), ("Runtime", re.compile(".+"))):
        if (value := request.get(name)) is not None:
            if not pattern.fullmatch(value):
                raise unacceptable(
                    value,
                    name[0].lower() + name[1:],
                    f"Member must satisfy regular expression pattern: {pattern.pattern}",
                )
            found[name] = value
    for name, limits in (("Timeout", TIMEOUT_SECONDS), ("MemorySize", MEMORY_MIB)):
        if (value := request.get(name)) is not None:
            found[name] = _within(value, name, limits)
    if (storage := request.get("EphemeralStorage")) is not None:
        _within(storage.get("Size"), "EphemeralStorage", STORAGE_MIB)
        found["EphemeralStorage"] = {"Size": storage["Size"]}
    if (architectures := request.get("Architectures")) is not None:
        if len(architectures) != 1 or architectures[0] not in _ARCHITECTURES:
            raise unacceptable(
                architectures, "architectures", f"Member must be one of {list(_ARCHITECTURES)}"
            )
        found["Architectures"] = architectures
    if (environment := request.get("Environment")) is not None:
        found["Environment"] = {"Variables": _variables(environment.get("Variables") or {})}
    return found


def make_launch(name: str, configuration: dict, code_folder, runtime, surroundings: dict) -> Launch:
    """Give what the processes of a function need.

    Parameters
    ----------
    runtime : Runtime
    surroundings : dict
        Region, credentials and endpoint URLs; the function's own variables may replace the URLs.
    """
    memory = configuration["MemorySize"]
    environment = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "_HANDLER": configuration["Handler"],
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration['Runtime']}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "LAMBDA_TASK_ROOT": str(code_folder),
        "LAMBDA_RUNTIME_DIR": runtime.libraries,
        **surroundings,
        **configuration.get("Environment", {}).get("Variables", {}),
    }
    return Launch(
        runtime.python,
        runtime.libraries,
        str(code_folder),
        configuration["Handler"],
        environment,
        memory,
        configuration["EphemeralStorage"]["Size"],
        configuration["Timeout"],
    )


def _within(value, name: str, limits: tuple[int, int]) -> int:
    """Check an integer against its range."""
    shown = name[0].lower() + name[1:]
    if not isinstance(value, int) or isinstance(value, bool) or value < limits[0]:
        raise unacceptable(
            value, shown, f"Member must have value greater than or equal to {limits[0]}"
        )
    if value > limits[1]:
        raise unacceptable(
            value, shown, f"Member must have value less than or equal to {limits[1]}"
        )
    return value


def _variables(variables: dict) -> dict:
    """Check the environment variables of a function."""
    if reserved := sorted(RESERVED_VARIABLES & set(variables)):
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            raise unacceptable(
                name,
                "environment.variables",
                f"Map keys must satisfy regular expression pattern: {_VARIABLE.pattern}",
            )
    size = sum(len(k.encode()) + len(str(v).encode()) for k, v in variables.items())
    if size > ENVIRONMENT:
        raise ApiError(
            "InvalidParameterValueException",
            400,
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the {ENVIRONMENT // 1024}KB limit.",
        )
    return {name: str(value) for name, value in variables.items()}
