"""The stack as a CloudFormation template: by AWS's own rules, and made by moto."""

import base64
import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from sklearn_cirrus.deploy.names import Names
from sklearn_cirrus.deploy.objects import Artifact
from sklearn_cirrus.deploy.options import Options
from sklearn_cirrus.deploy.plan import Artifacts, describe_stack
from sklearn_cirrus.deploy.record import load_deployment
from sklearn_cirrus.deploy.template import make_template
from tests.deploy.conftest import ACCOUNT, REGION

_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"

FULL = Options(server="host", instance="t4g.medium", client_cidr="203.0.113.0/24", task=True)
PRIVATE = Options(server="host", instance="c7g.large", concurrency=7)
UNKNOWN_TO_MOTO = {
    *("AWS::S3::BucketPolicy", "AWS::IAM::RolePolicy", "AWS::Lambda::EventInvokeConfig"),
}
PLAIN = Options(server="url", subnets=("subnet-0a1b2c3d",), security_groups=("sg-0a1b2c3d",))


def test_cfn_lint_finds_nothing(tmp_path):
    if find_spec("cfnlint") is None:
        pytest.skip("needs cfn-lint")
    paths = []
    for name, options in (("full", FULL), ("private", PRIVATE), ("plain", PLAIN)):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(make_template("cirrus", options, "0.1.0")))
    # In a process of its own: it patches json for the whole process.
    done = subprocess.run(
        [sys.executable, "-c", _LINT, "--regions", "eu-west-1", "--", *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("options", [FULL, PRIVATE, PLAIN], ids=["full", "private", "plain"])
def test_it_has_the_resources_that_deploy_makes(options):
    template = make_template("cirrus", options, "0.1.0")
    nothing = Artifact("bucket", "key")
    made = describe_stack(
        Names.of("cirrus", ACCOUNT, REGION, "aws"),
        options,
        Artifacts(nothing, nothing, nothing),
        runtime="0.1.0",
    )
    assert template["Resources"].keys() == {r.name for r in made if r.kind.in_template}
    text = json.dumps(template)
    assert ACCOUNT not in text and REGION not in text
    needed = {"CodeBucket", "WorkerKey"}
    needed |= {"TaskKey"} if options.task else set()
    needed |= {"ModuleKey", "ServerPasswordSha256"} if options.server == "host" else set()
    assert template["Parameters"].keys() == needed
    for resource in template["Resources"].values():
        assert set(resource.get("DependsOn", ())) <= template["Resources"].keys()


@pytest.mark.filterwarnings("ignore:Tried to parse")  # said of these, in the server's thread
def test_moto_makes_the_stack(aws, files):
    s3, cloudformation = aws("s3"), aws("cloudformation")
    s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.upload_file(str(files["bundle"]), "files", "worker.zip")
    template = make_template("cirrus", PRIVATE, "0.1.0")
    # Of what moto's CloudFormation lacks: tags of parameters are a list to it, not a map.
    del template["Resources"]["Record"]["Properties"]["Tags"]
    parameters = {
        "CodeBucket": "files",
        "WorkerKey": "worker.zip",
        "ModuleKey": "cirrus.so",
        "ServerPasswordSha256": "0" * 64,
    }
    cloudformation.create_stack(
        StackName="cirrus",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName="cirrus")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    listed = cloudformation.list_stack_resources(StackName="cirrus")["StackResourceSummaries"]
    missing = template["Resources"].keys() - {r["LogicalResourceId"] for r in listed}
    assert {template["Resources"][name]["Type"] for name in missing} <= UNKNOWN_TO_MOTO

    found = load_deployment()
    assert (found.account, found.region) == (ACCOUNT, REGION)
    assert found.bucket == f"cirrus-{ACCOUNT}-{REGION}"
    assert found.options == PRIVATE
    function = aws("lambda").get_function(FunctionName="cirrus-worker")["Configuration"]
    assert function["Role"].endswith(f"role/cirrus-{REGION}-worker-role")
    (reservation,) = aws("ec2").describe_instances()["Reservations"]
    host = reservation["Instances"][0]["InstanceId"]
    data = aws("ec2").describe_instance_attribute(InstanceId=host, Attribute="userData")
    script = base64.b64decode(data["UserData"]["Value"]).decode()
    assert "module_bucket=files\n" in script and "0" * 64 in script
    assert "${" not in script
