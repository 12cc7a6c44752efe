"""Repositories in templates: existing names, adoption and updates."""

import json
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, EmbeddedAws
from tests.local.emulator.patches.support import (
    LATEST_EXCLUDED,
    LATEST_EXCLUDED_IN_A_TEMPLATE,
    Docker,
    Resource,
    allow,
    arn_of,
    deploy,
    deploy_adopting,
    deploy_with_role,
    destroy,
    refused,
    resource,
    session_of_a_role,
)


def a_repository(name: str, **properties: Any) -> Resource:
    retained = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    return resource("ECR::Repository", {"RepositoryName": name, **properties}, **retained)


def images(aws: EmbeddedAws, repository: str) -> int:
    return len(aws.client("ecr").list_images(repositoryName=repository)["imageIds"])


def tags(aws: EmbeddedAws, repository: str) -> Any:
    return aws.client("ecr").list_tags_for_resource(resourceArn=arn_of(repository))["tags"]


@pytest.mark.parametrize(("how", "status"), [(deploy, "ROLLBACK_COMPLETE"), (deploy_adopting, "NO_CHANGE_SET")])
def test_a_second_stack_cannot_create_a_repository_that_exists(aws: EmbeddedAws, how: Any, status: str) -> None:
    name = how.__name__.replace("_", "-")
    repository = a_repository(name)
    deploy(aws, f"first-{name}", Repository=repository)
    Docker(aws).push(name, "v1", "image")

    failed = how(aws, f"second-{name}", Repository=repository)
    assert failed.status == status
    assert "already exists" in failed.failures
    assert images(aws, name) == 1


def test_a_retained_repository_blocks_its_name_until_a_stack_adopts_it(aws: EmbeddedAws) -> None:
    def repository(team: str) -> Resource:
        return a_repository("adopted", Tags=[{"Key": "team", "Value": team}])

    deploy(aws, "adopted", Repository=repository("analytics"))
    Docker(aws).push("adopted", "v1", "image")
    destroy(aws, "adopted")

    refusal = deploy(aws, "adopted", Repository=repository("analytics"))
    assert refusal.status == "ROLLBACK_COMPLETE"
    assert "'adopted' already exists" in refusal.failures
    destroy(aws, "adopted")

    assert deploy_adopting(aws, "adopted", Repository=repository("analytics")).status == "CREATE_COMPLETE"
    assert images(aws, "adopted") == 1
    assert deploy_adopting(aws, "adopted", Repository=repository("analytics")).status == "NO_CHANGE_SET"
    assert deploy_adopting(aws, "adopted", Repository=repository("risk")).status == "UPDATE_COMPLETE"
    assert {"Key": "team", "Value": "risk"} in tags(aws, "adopted")


def test_an_existing_stack_can_adopt_an_existing_repository(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="joins")
    secret = resource("SecretsManager::Secret", {"Name": "joined/token"})
    deploy(aws, "joined", Secret=secret)
    joined = deploy_adopting(aws, "joined", Secret=secret, Repository=a_repository("joins"))
    assert (joined.status, joined.refs["Repository"]) == ("UPDATE_COMPLETE", "joins")


def test_an_adopted_repository_gets_the_template_when_it_is_adopted_and_when_it_is_updated(aws: EmbeddedAws) -> None:
    ecr = aws.client("ecr")
    foreign = {"Key": "foreign", "Value": "yes"}
    readers = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}]}
    ecr.create_repository(repositoryName="with-history", tags=[foreign])
    ecr.set_repository_policy(repositoryName="with-history", policyText=json.dumps(readers))

    def deploy_with(description_of_rule: str) -> str:
        text = json.dumps({"rules": [{"description": description_of_rule}]})
        template = a_repository(
            "with-history",
            ImageTagMutability="IMMUTABLE",
            LifecyclePolicy={"LifecyclePolicyText": text},
            Tags=[{"Key": "team", "Value": "analytics"}],
        )
        return deploy_adopting(aws, "with-history", Repository=template).status

    assert deploy_with("first") == "CREATE_COMPLETE"
    assert foreign not in tags(aws, "with-history")
    assert {"Key": "team", "Value": "analytics"} in tags(aws, "with-history")
    assert "RepositoryPolicyNotFound" in refused(ecr.get_repository_policy, repositoryName="with-history")
    assert mutability(aws, "with-history") == "MUTABLE"
    assert "LifecyclePolicyNotFound" in refused(ecr.get_lifecycle_policy, repositoryName="with-history")

    ecr.tag_resource(resourceArn=arn_of("with-history"), tags=[foreign])
    ecr.set_repository_policy(repositoryName="with-history", policyText=json.dumps(readers))
    assert deploy_with("second") == "UPDATE_COMPLETE"
    assert foreign not in tags(aws, "with-history")
    assert "RepositoryPolicyNotFound" in refused(ecr.get_repository_policy, repositoryName="with-history")
    assert mutability(aws, "with-history") == "IMMUTABLE"
    assert "second" in ecr.get_lifecycle_policy(repositoryName="with-history")["lifecyclePolicyText"]


def mutability(aws: EmbeddedAws, repository: str) -> Any:
    found = aws.client("ecr").describe_repositories(repositoryNames=[repository])
    return found["repositories"][0]["imageTagMutability"]


def test_a_repository_is_updated_in_place(aws: EmbeddedAws) -> None:
    def update(**properties: Any) -> dict[str, Any]:
        deploy(aws, "updated", Repository=resource("ECR::Repository", {"RepositoryName": "updated", **properties}))
        found: dict[str, Any] = aws.client("ecr").describe_repositories(repositoryNames=["updated"])["repositories"][0]
        return found

    excluding = {
        "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "ImageTagMutabilityExclusionFilters": LATEST_EXCLUDED_IN_A_TEMPLATE,
    }
    created = update(**excluding, Tags=[{"Key": "team", "Value": "analytics"}])
    assert created["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert created["imageTagMutabilityExclusionFilters"] == LATEST_EXCLUDED
    Docker(aws).push("updated", "v1", "image")
    changed = update(
        ImageTagMutability="IMMUTABLE",
        LifecyclePolicy={"LifecyclePolicyText": '{"rules":[]}'},
        Tags=[{"Key": "team", "Value": "risk"}],
    )
    assert changed["createdAt"] == created["createdAt"]
    assert changed["imageTagMutability"] == "IMMUTABLE"
    assert "imageTagMutabilityExclusionFilters" not in changed
    assert images(aws, "updated") == 1
    lifecycle = aws.client("ecr").get_lifecycle_policy(repositoryName="updated")
    assert lifecycle["lifecyclePolicyText"] == '{"rules":[]}'
    assert {"Key": "team", "Value": "risk"} in tags(aws, "updated")

    assert update(**excluding)["imageTagMutabilityExclusionFilters"] == LATEST_EXCLUDED


EVERYBODY: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "ecr:PutImage"}


def policy_of(aws: EmbeddedAws, repository: str) -> Any:
    return json.loads(aws.client("ecr").get_repository_policy(repositoryName=repository)["policyText"])


def test_the_policy_and_the_lifecycle_of_a_template_are_set_changed_and_deleted(aws: EmbeddedAws) -> None:
    ecr = aws.client("ecr")
    first, second = ({"Version": "2012-10-17", "Statement": [{**EVERYBODY, "Sid": sid}]} for sid in ("One", "Two"))
    lifecycle = {"LifecyclePolicyText": '{"rules":[]}'}

    deploy(aws, "policed", Repository=a_repository("policed", RepositoryPolicyText=first, LifecyclePolicy=lifecycle))
    assert policy_of(aws, "policed") == first
    deploy(aws, "policed", Repository=a_repository("policed", RepositoryPolicyText=json.dumps(second)))
    assert policy_of(aws, "policed") == second
    assert "LifecyclePolicyNotFound" in refused(ecr.get_lifecycle_policy, repositoryName="policed")
    deploy(aws, "policed", Repository=a_repository("policed"))
    assert "RepositoryPolicyNotFound" in refused(ecr.get_repository_policy, repositoryName="policed")

    destroy(aws, "policed")
    policed = a_repository("policed", RepositoryPolicyText=first)
    assert deploy_adopting(aws, "policed", Repository=policed).status == "CREATE_COMPLETE"
    assert policy_of(aws, "policed") == first


INVALID = {
    "a resource": {**EVERYBODY, "Resource": "*"},
    "an action without a repository": {**EVERYBODY, "Action": ["ecr:PutImage", "ecr:GetAuthorizationToken"]},
    "an action of another service": {**EVERYBODY, "Action": "s3:GetObject"},
    "no principal": {"Effect": "Deny", "Action": "ecr:PutImage"},
    "too many characters": {**EVERYBODY, "Sid": "x" * 10_240},
}


@pytest.mark.parametrize("statement", INVALID.values(), ids=INVALID.keys())
def test_an_invalid_policy_is_refused(aws: EmbeddedAws, statement: dict[str, Any]) -> None:
    ecr, text = aws.client("ecr"), json.dumps({"Statement": [statement]})
    if "checked" not in names(aws):
        ecr.create_repository(repositoryName="checked")

    assert "Invalid repository policy provided" in refused(
        ecr.set_repository_policy, repositoryName="checked", policyText=text
    )
    assert "RepositoryPolicyNotFound" in refused(ecr.get_repository_policy, repositoryName="checked")
    failed = deploy(aws, "invalid", Repository=a_repository("invalid", RepositoryPolicyText={"Statement": [statement]}))
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "Invalid repository policy" in failed.failures
    assert "invalid" not in names(aws)
    destroy(aws, "invalid")


def names(aws: EmbeddedAws) -> set[str]:
    return {each["repositoryName"] for each in aws.client("ecr").describe_repositories()["repositories"]}


def all_except(*arns: str, actions: list[str]) -> str:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": arns}}
    return json.dumps({"Statement": [{**EVERYBODY, "Action": actions, "Condition": condition}]})


def test_a_policy_that_locks_out_the_caller_needs_force(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="locked")
    ecr = aws.client("ecr", session_of_a_role(aws, "locked-out", allow("ecr:*")))
    policy = all_except(f"arn:aws:iam::{ACCOUNT}:role/somebody", actions=["ecr:SetRepositoryPolicy"])

    assert "would prevent you" in refused(ecr.set_repository_policy, repositoryName="locked", policyText=policy)
    ecr.set_repository_policy(repositoryName="locked", policyText=policy, force=True)
    assert "explicit deny" in refused(ecr.set_repository_policy, repositoryName="locked", policyText=policy)


def test_a_policy_can_deny_a_change_to_the_role_of_the_stack(aws: EmbeddedAws) -> None:
    session_of_a_role(aws, "deployer", allow("*"))
    role = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    text = all_except(f"arn:aws:iam::{ACCOUNT}:role/somebody", actions=["ecr:SetRepositoryPolicy"])

    def update(policy: str) -> Any:
        repository = a_repository("of-deployer", RepositoryPolicyText=policy)
        return deploy_with_role(aws, "of-deployer", role, {"Repository": repository})

    ours = all_except(role, actions=["ecr:SetRepositoryPolicy", "ecr:PutImage"])
    assert update(ours).status == "CREATE_COMPLETE"
    assert update(ours.replace("ecr:PutImage", "ecr:BatchDeleteImage")).status == "UPDATE_COMPLETE"
    aws.client("ecr").set_repository_policy(repositoryName="of-deployer", policyText=text, force=True)
    failed = update(ours)
    assert failed.status == "UPDATE_ROLLBACK_FAILED" or failed.status == "UPDATE_ROLLBACK_COMPLETE"
    assert "ecr:SetRepositoryPolicy on resource" in failed.failures


def test_a_denial_with_a_negated_condition_applies_without_the_condition_key(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="keyless")
    ecr = aws.client("ecr", session_of_a_role(aws, "keyless", allow("ecr:*")))
    condition = {"ArnNotEquals": {"aws:SourceArn": f"arn:aws:iam::{ACCOUNT}:role/somebody"}}  # docker sends no such key
    text = json.dumps({"Statement": [{**EVERYBODY, "Condition": condition}]})

    ecr.set_repository_policy(repositoryName="keyless", policyText=text)

    docker = Docker(
        aws,
        aws.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/keyless", RoleSessionName="docker")[
            "Credentials"
        ],
    )
    assert docker.push("keyless", "1", "image") == 403
    assert "explicit deny" in refused(ecr.put_image, repositoryName="keyless", imageManifest="{}", imageTag="1")
