"""What the service answers when it refuses, with AWS's codes and HTTP statuses."""


class ApiError(Exception):
    """A refusal, on its way to the client.

    Parameters
    ----------
    code : str
        AWS's name of the exception, which boto3 gives as ``error.response["Error"]["Code"]``.
    status : int
        HTTP status.
    message : str
    reason : str, optional
        Which limit a throttled request ran into.
    """

    def __init__(self, code: str, status: int, message: str, reason: str | None = None):
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.reason = reason

    def body(self) -> dict:
        """Give what goes into the JSON of the answer."""
        body = {"Type": "User" if self.status < 500 else "Service", "message": self.message}
        return body if self.reason is None else {**body, "Reason": self.reason}


def not_found(message: str) -> ApiError:
    """Make the refusal of what does not exist."""
    return ApiError("ResourceNotFoundException", 404, message)


def conflict(message: str) -> ApiError:
    """Make the refusal of what the present state forbids."""
    return ApiError("ResourceConflictException", 409, message)


def invalid(message: str) -> ApiError:
    """Make the refusal of a parameter that cannot be."""
    return ApiError("InvalidParameterValueException", 400, message)


def unacceptable(value, name: str, constraint: str) -> ApiError:
    """Make the refusal of a value outside of the range that the API's model states."""
    return ApiError(
        "ValidationException",
        400,
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"{constraint}",
    )


def throttled(reason: str) -> ApiError:
    """Make the refusal for lack of concurrency."""
    return ApiError("TooManyRequestsException", 429, "Rate Exceeded.", reason)


def too_large(limit: int, operation: str) -> ApiError:
    """Make the refusal of a request body."""
    code = (
        "RequestTooLargeException"
        if operation == "InvokeFunction"
        else ("RequestEntityTooLargeException")
    )
    return ApiError(
        code, 413, f"Request must be smaller than {limit} bytes for the {operation} operation"
    )
