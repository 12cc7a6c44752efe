"""The action and the resource that IAM evaluates for a request."""

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.local.emulator.patches.support import allow, arn_of, refused, session_of_a_role


def test_describing_a_repository_and_its_tags_needs_a_permission_on_that_repository(aws: EmbeddedAws) -> None:
    for name in ("described", "described-not"):
        aws.client("ecr").create_repository(repositoryName=name, tags=[{"Key": "name", "Value": name}])
    actions = ("ecr:DescribeRepositories", "ecr:ListTagsForResource", "ecr:TagResource")
    tagged = {"StringEquals": {"aws:ResourceTag/name": "described"}}
    for role, statement in (
        ("describes-by-name", allow(*actions, on=arn_of("described"))),
        ("describes-by-tag", allow(*actions, on=arn_of("*"), Condition=tagged)),
    ):
        ecr = aws.client("ecr", session_of_a_role(aws, role, statement))
        assert len(ecr.describe_repositories(repositoryNames=["described"])["repositories"]) == 1
        assert ecr.list_tags_for_resource(resourceArn=arn_of("described"))["tags"]
        ecr.tag_resource(resourceArn=arn_of("described"), tags=[{"Key": "added", "Value": "by-hand"}])

        for refusal in (
            refused(ecr.describe_repositories, repositoryNames=["described-not"]),
            refused(ecr.list_tags_for_resource, resourceArn=arn_of("described-not")),
        ):
            assert refusal.startswith("AccessDeniedException: ")
        assert "AccessDenied" in refused(ecr.describe_repositories)


def test_describing_all_repositories_needs_a_permission_on_all_repositories(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="one-of-all")
    permission = allow("ecr:DescribeRepositories", on=arn_of("*"))
    ecr = aws.client("ecr", session_of_a_role(aws, "describes-all", permission))
    assert "one-of-all" in {found["repositoryName"] for found in ecr.describe_repositories()["repositories"]}


def test_each_operation_on_the_concurrency_of_a_function_needs_its_own_permission(aws: EmbeddedAws) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:absent"
    reads = session_of_a_role(aws, "reads-concurrency", allow("lambda:GetFunctionConcurrency", on=function))
    client = aws.client("lambda", reads)
    assert "ResourceNotFound" in refused(client.get_function_concurrency, FunctionName="absent")
    for refusal in (
        refused(client.put_function_concurrency, FunctionName="absent", ReservedConcurrentExecutions=1),
        refused(client.delete_function_concurrency, FunctionName="absent"),
    ):
        assert "AccessDenied" in refusal


def test_reading_the_retries_of_a_function_needs_its_own_permission(aws: EmbeddedAws) -> None:
    for action, refusal in (("GetFunctionEventInvokeConfig", "ResourceNotFound"), ("GetFunction", "AccessDenied")):
        client = aws.client("lambda", session_of_a_role(aws, f"has-{action}", allow(f"lambda:{action}")))
        assert refusal in refused(client.get_function_event_invoke_config, FunctionName="absent")


def test_reading_the_limits_of_lambda_needs_a_permission(aws: EmbeddedAws) -> None:
    reads = session_of_a_role(aws, "reads-limits", allow("lambda:GetAccountSettings", on="*"))
    assert aws.client("lambda", reads).get_account_settings()["AccountLimit"]["ConcurrentExecutions"] > 0
    reads_not = session_of_a_role(aws, "reads-no-limits", allow("lambda:ListFunctions", on="*"))
    assert "AccessDenied" in refused(aws.client("lambda", reads_not).get_account_settings)
