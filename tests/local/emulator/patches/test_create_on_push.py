"""Repository creation templates, and repositories that a push creates."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import (
    LATEST_EXCLUDED,
    LATEST_EXCLUDED_IN_A_TEMPLATE,
    Docker,
    Statement,
    allow,
    arn_of,
    deploy,
    destroy,
    grant,
    refused,
    resource,
    session_of_a_role,
    trust,
)

ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/creates"
CREATE = ("ecr:CreateRepository", "ecr:TagResource", "ecr:SetRepositoryPolicy", "ecr:PutLifecyclePolicy")
POLICY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
LIFECYCLE: dict[str, Any] = {"rules": []}
SETTINGS: dict[str, Any] = {
    "appliedFor": ["CREATE_ON_PUSH"],
    "customRoleArn": ROLE_ARN,
    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": LATEST_EXCLUDED,
    "repositoryPolicy": json.dumps(POLICY),
    "lifecyclePolicy": json.dumps(LIFECYCLE),
}


@pytest.fixture(scope="module", autouse=True)
def creation_role(aws: EmbeddedAws) -> None:
    """The role with which ECR creates repositories. ECR may assume it."""
    document = json.dumps(trust(Service="ecr.amazonaws.com"))
    aws.client("iam").create_role(RoleName="creates", AssumeRolePolicyDocument=document)
    grant(aws, "creates", allow(*CREATE))


@pytest.fixture(scope="module")
def docker(aws: EmbeddedAws) -> Docker:
    return Docker(aws)


def create_template(aws: EmbeddedAws, prefix: str, **settings: Any) -> None:
    tags = [{"Key": "prefix", "Value": prefix}]
    aws.client("ecr").create_repository_creation_template(
        **{"prefix": prefix, "resourceTags": tags, **SETTINGS, **settings}
    )


def exists(aws: EmbeddedAws, repository: str) -> bool:
    found = aws.client("ecr").get_paginator("describe_repositories").paginate()
    return repository in {each["repositoryName"] for page in found for each in page["repositories"]}


def template_of(aws: EmbeddedAws, repository: str) -> Any:
    """Return the prefix of the template that created a repository. The test's templates set it as a tag."""
    [tag] = aws.client("ecr").list_tags_for_resource(resourceArn=arn_of(repository))["tags"]
    return tag["Value"]


def test_a_push_creates_a_repository_with_the_settings_of_the_template(aws: EmbeddedAws, docker: Docker) -> None:
    create_template(aws, "settings")
    assert docker.push("settings/new/app", "v1", "image") == 201

    ecr = aws.client("ecr")
    [found] = ecr.describe_repositories(repositoryNames=["settings/new/app"])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert found["imageTagMutabilityExclusionFilters"] == LATEST_EXCLUDED
    assert found["imageScanningConfiguration"] == {"scanOnPush": False}
    assert found["encryptionConfiguration"] == {"encryptionType": "AES256"}
    named = {"repositoryName": "settings/new/app"}
    assert json.loads(ecr.get_repository_policy(**named)["policyText"]) == POLICY
    assert json.loads(ecr.get_lifecycle_policy(**named)["lifecyclePolicyText"]) == LIFECYCLE
    assert template_of(aws, "settings/new/app") == "settings"


@pytest.mark.parametrize(
    ("repository", "prefix"), [("near/app", "near"), ("near/far/app", "near/far"), ("near/farther/app", "near")]
)
def test_the_longest_prefix_applies_and_ends_with_a_slash(
    aws: EmbeddedAws, docker: Docker, repository: str, prefix: str
) -> None:
    for each in ("near", "near/far"):
        if not aws.client("ecr").describe_repository_creation_templates(prefixes=[each])["repositoryCreationTemplates"]:
            create_template(aws, each)
    assert docker.push(repository, "v1", "image") == 201
    assert template_of(aws, repository) == prefix


def test_the_prefix_root_applies_to_all_other_names(aws: EmbeddedAws, docker: Docker) -> None:
    create_template(aws, "not-root")
    create_template(aws, "ROOT")
    try:
        for name in ("anything", "not-root-x/app", "not-root/app"):
            assert docker.push(name, "v1", "image") == 201
    finally:
        aws.client("ecr").delete_repository_creation_template(prefix="ROOT")
    found = [template_of(aws, name) for name in ("anything", "not-root-x/app", "not-root/app")]
    assert found == ["ROOT", "ROOT", "not-root"]


@pytest.mark.parametrize("name", ["slash-x/app", "slash", "x/slash/app"])
def test_a_push_to_a_name_without_a_template_fails(aws: EmbeddedAws, docker: Docker, name: str) -> None:
    create_template(aws, f"{name}-not", appliedFor=["PULL_THROUGH_CACHE"])
    if not aws.client("ecr").describe_repository_creation_templates(prefixes=["slash"])["repositoryCreationTemplates"]:
        create_template(aws, "slash")
    for path in (f"{name}/manifests/v1", f"{name}-not/app/manifests/v1"):
        status, code, _ = docker.error("PUT", path, b"image")
        assert (status, code) == (404, "NAME_UNKNOWN")
    assert not exists(aws, name)


def test_only_a_push_creates_a_repository(aws: EmbeddedAws, docker: Docker) -> None:
    create_template(aws, "looks")
    for method, path in (
        ("HEAD", "manifests/v1"),
        ("GET", "manifests/v1"),
        ("HEAD", "blobs/sha256:0"),
        ("GET", "tags/list"),
    ):
        assert docker.status(method, f"looks/app/{path}") == 404
    assert not exists(aws, "looks/app")
    assert docker.status("POST", "looks/app/blobs/uploads/") == 202
    assert exists(aws, "looks/app")


def test_a_principal_that_may_not_push_creates_no_repository(aws: EmbeddedAws) -> None:
    create_template(aws, "guarded")
    by_tag = {"StringEquals": {"aws:ResourceTag/prefix": "guarded"}}
    pushes = session_of_a_role(aws, "pushes-by-tag", allow("ecr:*", on=arn_of("guarded/*"), Condition=by_tag))
    grant(aws, "pushes-by-tag", allow("ecr:*", Condition=by_tag), allow("ecr:GetAuthorizationToken"))
    docker = Docker(aws, pushes)
    create_template(aws, "guarded-x")

    assert docker.push("guarded-x/app", "v1", "image") == 403
    assert not exists(aws, "guarded-x/app")
    assert docker.push("guarded/app", "v1", "image") == 201


NOT_SET = {"Effect": "Deny", "Principal": "*", "Action": "ecr:PutLifecyclePolicy"}


@pytest.mark.parametrize(
    ("prefix", "permissions", "policy", "missing"),
    [
        *(
            (action.partition(":")[2].lower(), allow(*(each for each in CREATE if each != action)), POLICY, action)
            for action in CREATE
        ),
        ("another-prefix", allow(*CREATE, on=arn_of("another/*")), POLICY, "ecr:CreateRepository"),
        ("denied-by-policy", allow(*CREATE), {"Statement": [NOT_SET]}, "ecr:PutLifecyclePolicy"),
    ],
)
def test_a_push_fails_if_the_role_of_the_template_lacks_a_permission(
    aws: EmbeddedAws, docker: Docker, prefix: str, permissions: Statement, policy: Any, missing: str
) -> None:
    create_template(aws, prefix, repositoryPolicy=json.dumps(policy))
    grant(aws, "creates", permissions)
    try:
        status, code, message = docker.error("PUT", f"{prefix}/app/manifests/v1", b"image")
    finally:
        grant(aws, "creates", allow(*CREATE))
    assert (status, code) == (403, "DENIED")
    assert message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/creates/ECRTemplate is not authorized to perform: {missing} "
        f"on resource: {arn_of(f'{prefix}/app')}"
    )
    assert not exists(aws, f"{prefix}/app")


def test_a_push_fails_if_ecr_cannot_assume_the_role_of_the_template(aws: EmbeddedAws, docker: Docker) -> None:
    document = json.dumps(trust(Service="lambda.amazonaws.com"))
    role = aws.client("iam").create_role(RoleName="of-lambda", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    grant(aws, "of-lambda", allow(*CREATE))
    create_template(aws, "of-lambda", customRoleArn=role)
    assert docker.push("of-lambda/app", "v1", "image") == 403


def test_a_template_with_tags_needs_a_role(aws: EmbeddedAws, docker: Docker) -> None:
    ecr = aws.client("ecr")
    without_role = {"prefix": "no-role", "appliedFor": ["CREATE_ON_PUSH"]}
    refusal = refused(
        ecr.create_repository_creation_template, **without_role, resourceTags=[{"Key": "a", "Value": "b"}]
    )
    assert "customRoleArn" in refusal
    ecr.create_repository_creation_template(**without_role)
    assert docker.push("no-role/app", "v1", "image") == 201


def test_the_api_creates_updates_describes_and_deletes_templates(aws: EmbeddedAws, docker: Docker) -> None:
    ecr = aws.client("ecr")
    create_template(aws, "api", description="first")
    assert "TemplateAlreadyExists" in refused(
        ecr.create_repository_creation_template, prefix="api", appliedFor=["CREATE_ON_PUSH"]
    )
    ecr.update_repository_creation_template(prefix="api", description="second")
    [found] = ecr.describe_repository_creation_templates(prefixes=["api"])["repositoryCreationTemplates"]
    assert (found["description"], found["customRoleArn"]) == ("second", ROLE_ARN)
    assert "api" in {
        each["prefix"] for each in ecr.describe_repository_creation_templates()["repositoryCreationTemplates"]
    }
    ecr.delete_repository_creation_template(prefix="api")
    assert ecr.describe_repository_creation_templates(prefixes=["api"])["repositoryCreationTemplates"] == []
    for request in (ecr.update_repository_creation_template, ecr.delete_repository_creation_template):
        assert "TemplateNotFound" in refused(request, prefix="api")


def test_a_stack_creates_updates_and_deletes_a_template(aws: EmbeddedAws, docker: Docker) -> None:
    def template(**properties: Any) -> Any:
        common = {"AppliedFor": ["CREATE_ON_PUSH"], "Prefix": "stack", "CustomRoleArn": ROLE_ARN}
        tags = {"ResourceTags": [{"Key": "team", "Value": "stack"}]}
        return resource("ECR::RepositoryCreationTemplate", {**common, **tags, **properties})

    def found() -> Any:
        ecr = aws.client("ecr")
        return ecr.describe_repository_creation_templates(prefixes=["stack"])["repositoryCreationTemplates"]

    created = deploy(
        aws,
        "creation",
        Template=template(
            ImageTagMutability="IMMUTABLE_WITH_EXCLUSION",
            ImageTagMutabilityExclusionFilters=LATEST_EXCLUDED_IN_A_TEMPLATE,
            EncryptionConfiguration={"EncryptionType": "AES256"},
            LifecyclePolicy=json.dumps(LIFECYCLE),
        ),
    )
    assert (created.status, created.refs) == ("CREATE_COMPLETE", {"Template": "stack"})
    assert found()[0]["imageTagMutabilityExclusionFilters"] == LATEST_EXCLUDED
    assert found()[0]["encryptionConfiguration"] == {"encryptionType": "AES256"}
    taken = deploy(aws, "creation-again", Template=template())
    assert (taken.status, "already exists" in taken.failures) == ("ROLLBACK_COMPLETE", True)

    assert docker.push("stack/first", "v1", "image") == 201
    assert deploy(aws, "creation", Template=template(ImageTagMutability="IMMUTABLE")).status == "UPDATE_COMPLETE"
    assert "lifecyclePolicy" not in found()[0]
    destroy(aws, "creation")
    assert found() == []
    assert docker.status("PUT", "stack/second/manifests/v1", b"image") == 404
    assert exists(aws, "stack/first")
