"""What the kinds of EC2 have in common: they are found by their tags."""

from ..exceptions import DeployError
from .aws import absent
from .names import PART_TAG, STACK_TAG
from .resource import Found, Kind


class Tagged(Kind):
    """A kind that EC2 gives tags while it makes it, so it is never there without them."""

    describe: str  # EC2's call that lists them
    list_key: str  # where its answer has them
    id_key: str  # where one of them has its id
    noun: str  # of TagSpecifications
    remove: str  # EC2's call that deletes one
    gone: str  # EC2's code when there is none

    def find(self, aws, resource, properties):
        answer = getattr(aws.client("ec2"), self.describe)(
            Filters=[
                {"Name": f"tag:{STACK_TAG}", "Values": [resource.facts["stack"]]},
                {"Name": f"tag:{PART_TAG}", "Values": [resource.name]},
            ]
        )
        there = [item for item in self.items(answer) if self.is_there(item)]
        if len(there) > 1:
            ids = ", ".join(item[self.id_key] for item in there)
            raise DeployError(
                f"there are {len(there)} of the {self.what} {resource.name} of this stack ({ids}): "
                "delete all but one by hand"
            )
        if not there:
            return None
        return Found(there[0][self.id_key], self.attributes(there[0]), there[0])

    def items(self, answer) -> list[dict]:
        """Return the descriptions in an answer."""
        return answer[self.list_key]

    def is_there(self, item) -> bool:
        """Whether it is not on its way out."""
        return item.get("State") not in ("deleting", "deleted")

    def attributes(self, item) -> dict:
        """Return what GetAtt may ask."""
        return {}

    def delete(self, aws, resource, found):
        with absent(self.gone):
            getattr(aws.client("ec2"), self.remove)(**{self.id_key: found.id})

    def specification(self, properties) -> list[dict]:
        """Return the tags in the form of the calls that make things."""
        return [{"ResourceType": self.noun, "Tags": properties["Tags"]}]
