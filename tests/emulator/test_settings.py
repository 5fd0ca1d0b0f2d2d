"""What is set beside a function: its tags, and how its events are retried."""

from .service import refusal

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


def test_tags(service):
    service.create(Tags={"a": "1", "b": "2"})
    service.client.tag_resource(Resource=ARN, Tags={"b": "3", "c": "4"})
    service.client.untag_resource(Resource=ARN, TagKeys=["a"])
    assert service.client.list_tags(Resource=ARN)["Tags"] == {"b": "3", "c": "4"}
    assert refusal(service.client.list_tags, Resource=ARN + "x")[1] == 404


def test_settings_of_events(service):
    service.create()
    client = service.client
    assert refusal(client.get_function_event_invoke_config, FunctionName="f")[1] == 404
    client.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60
    )
    client.update_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
    shown = client.get_function_event_invoke_config(FunctionName="f")
    assert (shown["MaximumRetryAttempts"], shown["MaximumEventAgeInSeconds"]) == (1, 60)
    assert shown["FunctionArn"] == f"{ARN}:$LATEST"
    put = client.put_function_event_invoke_config
    assert refusal(put, FunctionName="f", MaximumRetryAttempts=3)[0] == "ValidationException"
    put(FunctionName="f", MaximumRetryAttempts=2)
    assert "MaximumEventAgeInSeconds" not in client.get_function_event_invoke_config(
        FunctionName="f"
    )
    client.delete_function_event_invoke_config(FunctionName="f")
    assert refusal(client.get_function_event_invoke_config, FunctionName="f")[1] == 404
