"""The table of operations: from a request's parts to a method and back to an answer."""

import json

from ._control import Control
from ._errors import ApiError
from ._invoke import Invoke
from ._settings import Settings


def operations(control: Control, settings: Settings, invoke: Invoke) -> dict:
    """Give all operations by name.

    Each takes the name in the path, the query (lists of values), the headers and the body, and
    returns the status, headers and body of the answer.
    """
    return {
        "Invoke": lambda name, query, headers, body: invoke(
            name, _one(query, "Qualifier"), headers, body
        ),
        "CreateFunction": lambda _, query, headers, body: (201, {}, control.create(_json(body))),
        "UpdateFunctionCode": _with_body(control.update_code),
        "UpdateFunctionConfiguration": _with_body(control.update_configuration),
        "GetFunction": _with_qualifier(control.get),
        "GetFunctionConfiguration": _with_qualifier(control.get_configuration),
        "DeleteFunction": _with_qualifier(control.delete, 204),
        "ListFunctions": lambda _, query, headers, body: (
            200,
            {},
            control.list(_one(query, "Marker"), _integer(query, "MaxItems")),
        ),
        "GetAccountSettings": lambda _, query, headers, body: (
            200,
            {},
            control.account_settings(),
        ),
        "PutFunctionConcurrency": _with_body(settings.put_concurrency),
        "GetFunctionConcurrency": lambda name, query, headers, body: (
            200,
            {},
            settings.get_concurrency(name),
        ),
        "DeleteFunctionConcurrency": lambda name, query, headers, body: (
            204,
            {},
            settings.delete_concurrency(name),
        ),
        "PutFunctionEventInvokeConfig": _with_both(settings.put_event_config),
        "UpdateFunctionEventInvokeConfig": _with_both(settings.update_event_config),
        "GetFunctionEventInvokeConfig": _with_qualifier(settings.get_event_config),
        "DeleteFunctionEventInvokeConfig": _with_qualifier(settings.delete_event_config, 204),
        "TagResource": _with_body(settings.tag, 204),
        "ListTags": lambda name, query, headers, body: (200, {}, settings.tags(name)),
        "UntagResource": lambda name, query, headers, body: (
            204,
            {},
            settings.untag(name, query.get("tagKeys", [])),
        ),
    }


def _with_body(operation, status: int = 200):
    """Wrap an operation on a name and a JSON body."""
    return lambda name, query, headers, body: (status, {}, operation(name, _json(body)))


def _with_qualifier(operation, status: int = 200):
    """Wrap an operation on a name and a qualifier."""
    return lambda name, query, headers, body: (
        status,
        {},
        operation(name, _one(query, "Qualifier")),
    )


def _with_both(operation):
    """Wrap an operation on a name, a qualifier and a JSON body."""
    return lambda name, query, headers, body: (
        200,
        {},
        operation(name, _one(query, "Qualifier"), _json(body)),
    )


def _json(body: bytes) -> dict:
    """Read the parameters of a request."""
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise ApiError(
            "SerializationException", 400, f"Could not parse request body into json: {error}"
        ) from error
    if not isinstance(found, dict):
        raise ApiError("SerializationException", 400, "The request body must be an object.")
    return found


def _one(query: dict, name: str) -> str | None:
    """Give a parameter of the query."""
    return query[name][0] if query.get(name) else None


def _integer(query: dict, name: str) -> int | None:
    """Give a parameter of the query as a number."""
    value = _one(query, name)
    return int(value) if value and value.isdigit() else None
