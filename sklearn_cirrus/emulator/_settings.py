"""What is set beside a function: its reserved concurrency, its tags, how its events are retried."""

import time

from ._errors import not_found, unacceptable
from ._functions import Functions
from ._limits import EVENT_AGE_SECONDS, RETRY_ATTEMPTS

_EVENT_SETTINGS = {
    "MaximumRetryAttempts": RETRY_ATTEMPTS,
    "MaximumEventAgeInSeconds": EVENT_AGE_SECONDS,
}


class Settings:
    """The operations on settings.

    Parameters
    ----------
    functions : Functions
    capacity : Capacity
    """

    def __init__(self, functions: Functions, capacity):
        self._functions = functions
        self._capacity = capacity

    def put_concurrency(self, identifier: str, request: dict) -> dict:
        """PutFunctionConcurrency."""
        function = self._functions.get(identifier)
        amount = request.get("ReservedConcurrentExecutions")
        if not isinstance(amount, int) or amount < 0:
            raise unacceptable(
                amount,
                "reservedConcurrentExecutions",
                "Member must have value greater than or equal to 0",
            )
        self._capacity.reserve(function.name, amount)
        return {"ReservedConcurrentExecutions": amount}

    def get_concurrency(self, identifier: str) -> dict:
        """GetFunctionConcurrency; empty without a reservation."""
        amount = self._capacity.reserved(self._functions.get(identifier).name)
        return {} if amount is None else {"ReservedConcurrentExecutions": amount}

    def delete_concurrency(self, identifier: str) -> None:
        """DeleteFunctionConcurrency."""
        self._capacity.unreserve(self._functions.get(identifier).name)

    def put_event_config(self, identifier: str, qualifier: str | None, request: dict) -> dict:
        """PutFunctionEventInvokeConfig: what is left out goes back to its default."""
        return self._set_event_config(identifier, qualifier, request, {})

    def update_event_config(self, identifier: str, qualifier: str | None, request: dict) -> dict:
        """UpdateFunctionEventInvokeConfig: what is left out stays."""
        function = self._functions.get(identifier, qualifier)
        return self._set_event_config(identifier, qualifier, request, function.event_config)

    def get_event_config(self, identifier: str, qualifier: str | None) -> dict:
        """GetFunctionEventInvokeConfig."""
        function = self._functions.get(identifier, qualifier)
        if not function.event_config_modified:
            raise not_found(
                f"The function {function.arn}:$LATEST doesn't have an EventInvokeConfig"
            )
        return {
            "FunctionArn": f"{function.arn}:$LATEST",
            "LastModified": function.event_config_modified,
            **function.event_config,
        }

    def delete_event_config(self, identifier: str, qualifier: str | None) -> None:
        """DeleteFunctionEventInvokeConfig."""
        self.get_event_config(identifier, qualifier)
        function = self._functions.get(identifier, qualifier)
        function.event_config, function.event_config_modified = {}, 0.0

    def tags(self, arn: str) -> dict:
        """ListTags."""
        return {"Tags": self._functions.get(arn).tags}

    def tag(self, arn: str, request: dict) -> None:
        """TagResource."""
        function = self._functions.get(arn)
        function.tags = {**function.tags, **(request.get("Tags") or {})}

    def untag(self, arn: str, keys: list[str]) -> None:
        """UntagResource."""
        function = self._functions.get(arn)
        function.tags = {key: tag for key, tag in function.tags.items() if key not in keys}

    def _set_event_config(self, identifier, qualifier, request, kept) -> dict:
        """Check the settings of events and take them over."""
        function = self._functions.get(identifier, qualifier)
        config = {"DestinationConfig": {"OnSuccess": {}, "OnFailure": {}}, **kept}
        for name, (least, most) in _EVENT_SETTINGS.items():
            if (value := request.get(name)) is None:
                continue
            if not isinstance(value, int) or not least <= value <= most:
                raise unacceptable(
                    value, name[0].lower() + name[1:], f"Member must be in {least}..{most}"
                )
            config[name] = value
        if request.get("DestinationConfig"):
            config["DestinationConfig"] = request["DestinationConfig"]
        function.event_config, function.event_config_modified = config, time.time()
        return self.get_event_config(identifier, qualifier)
