"""Compare the resource policies that AWS has now with the policies in the deployed templates."""

import json
from collections.abc import Iterator

from ops.clients import unless_missing
from ops.doctor.findings import Examine, Found, Problem, count, each
from ops.doctor.policies import WORKER_ACTIONS, policy_differences
from ops.doctor.templates import Declared, Examined
from ops.fixes import aws


def check_secret_policies(examined: Examined) -> Found:
    """Compare the resource policies of the secrets."""
    policies = examined.declared("AWS::SecretsManager::ResourcePolicy")
    by_break_glass = examined.environment.break_glass_role_arns

    def look_at(policy: Declared) -> Iterator[Problem]:
        arn = policy.properties["SecretId"]
        found = unless_missing(
            examined.clients.secretsmanager.get_resource_policy, "ResourceNotFoundException", SecretId=arn
        )
        if found is None:  # check_secrets reports a missing secret
            return
        yield from policy_differences(
            examined,
            f"The resource policy of the secret {_secret_name(arn)}",
            policy.properties["ResourcePolicy"],
            found.get("ResourcePolicy"),
            f"{policy.logical_id}.json",
            lambda file: (
                ("With a break-glass role: " if by_break_glass else "")
                + aws(
                    examined.environment,
                    "secretsmanager put-resource-policy --block-public-policy "
                    f"--secret-id {arn} --resource-policy {file}",
                )
            ),
            needed_to_pull=WORKER_ACTIONS,
        )

    problems = each(look_at, policies)
    return Found(f"{count(len(policies), 'secret policy', 'secret policies')} as deployed", problems)


def check_key_policy(examined: Examined) -> Found:
    """Compare the policies of the customer managed keys."""
    keys = examined.declared("AWS::KMS::Key")

    def look_at(key: Declared) -> Iterator[Problem]:
        found = unless_missing(
            examined.clients.kms.get_key_policy, "NotFoundException", KeyId=key.physical_id, PolicyName="default"
        )
        yield from policy_differences(
            examined,
            f"The policy of the key {key.physical_id}",
            key.properties["KeyPolicy"],
            found and found["Policy"],
            f"{key.logical_id}.json",
            lambda file: aws(
                examined.environment,
                f"kms put-key-policy --key-id {key.physical_id} --policy-name default --policy {file}",
            ),
            needed_to_pull=WORKER_ACTIONS,
        )

    return Found(f"{count(len(keys), 'key policy', 'key policies')} as deployed", each(look_at, keys))


def check_repository_policies(examined: Examined) -> Found:
    """Compare the repository policies."""
    repositories = examined.declared("AWS::ECR::Repository")

    def look_at(repository: Declared) -> Iterator[Problem]:
        name, declared = repository.physical_id, repository.properties.get("RepositoryPolicyText")
        found = unless_missing(
            examined.clients.ecr.get_repository_policy,
            "RepositoryPolicyNotFoundException",
            "RepositoryNotFoundException",  # check_repositories reports a missing repository
            repositoryName=name,
        )
        actual = found and found["policyText"]
        if not declared:
            if actual:
                yield Problem(
                    f"The repository {name} has a policy, which is not in the template.",
                    aws(examined.environment, f"ecr delete-repository-policy --repository-name {name}"),
                )
            return
        yield from policy_differences(
            examined,
            f"The policy of the repository {name}",
            declared,
            actual,
            f"{repository.logical_id}.json",
            lambda file: aws(
                examined.environment, f"ecr set-repository-policy --repository-name {name} --policy-text {file}"
            ),
        )

    problems = each(look_at, repositories)
    return Found(f"the policies of {count(len(repositories), 'repository', 'repositories')} as deployed", problems)


def check_queue_policies(examined: Examined) -> Found:
    """Compare the policies of the failure queue."""
    policies = examined.declared("AWS::SQS::QueuePolicy")

    def look_at(policy: Declared) -> Iterator[Problem]:
        for url in policy.properties["Queues"]:
            found = unless_missing(
                examined.clients.sqs.get_queue_attributes,
                "AWS.SimpleQueueService.NonExistentQueue",
                "QueueDoesNotExist",
                QueueUrl=url,
                AttributeNames=["Policy"],
            )
            if found is None:
                yield Problem(f"The queue {url} does not exist.", _deploy_missing("queue"))
                continue
            document = policy.properties["PolicyDocument"]
            yield from policy_differences(
                examined,
                f"The policy of the queue {url.rpartition('/')[2]}",
                document,
                found.get("Attributes", {}).get("Policy"),
                f"{policy.logical_id}.json",
                lambda file, url=url: aws(
                    examined.environment, f"sqs set-queue-attributes --queue-url {url} --attributes {file}"
                ),  # type: ignore[misc]
                content={"Policy": json.dumps(document)},
            )

    return Found(f"{count(len(policies), 'queue policy', 'queue policies')} as deployed", each(look_at, policies))


def check_topic_policies(examined: Examined) -> Found:
    """Compare the policies of the topics in the templates."""
    policies = examined.declared("AWS::SNS::TopicPolicy")

    def look_at(policy: Declared) -> Iterator[Problem]:
        for arn in policy.properties["Topics"]:
            found = unless_missing(
                examined.clients.sns.get_topic_attributes, "NotFound", "NotFoundException", TopicArn=arn
            )
            if not found:  # check_topic reports a missing topic
                continue
            yield from policy_differences(
                examined,
                f"The policy of the topic {arn.rpartition(':')[2]}",
                policy.properties["PolicyDocument"],
                found["Attributes"].get("Policy"),
                f"{policy.logical_id}.json",
                lambda file, arn=arn: (  # type: ignore[misc]
                    aws(
                        examined.environment,
                        f"sns set-topic-attributes --topic-arn {arn} --attribute-name Policy --attribute-value {file}",
                    )
                ),
            )

    return Found(f"{count(len(policies), 'topic policy', 'topic policies')} as deployed", each(look_at, policies))


def check_function_policies(examined: Examined) -> Found:
    """Find permissions that a principal got on a function. The templates give no such permissions."""
    functions = [function.physical_id for function in examined.declared("AWS::Lambda::Function")]

    def look_at(name: str) -> Iterator[Problem]:
        found = unless_missing(examined.clients.lambda_.get_policy, "ResourceNotFoundException", FunctionName=name)
        for statement in json.loads(found["Policy"])["Statement"] if found else []:
            yield Problem(
                f"The function {name} has the permission {statement.get('Sid')}, which is not in the template.",
                aws(
                    examined.environment,
                    f"lambda remove-permission --function-name {name} --statement-id {statement.get('Sid')}",
                ),
            )

    return Found(f"{count(len(functions), 'function')} without added permissions", each(look_at, functions))


CHECKS: dict[str, Examine] = {
    "secret_policies": check_secret_policies,
    "key_policy": check_key_policy,
    "repository_policies": check_repository_policies,
    "queue_policies": check_queue_policies,
    "topic_policies": check_topic_policies,
    "function_policies": check_function_policies,
}


def _secret_name(arn: str) -> str:
    return arn.rpartition(":secret:")[2][: -len("-abcdef")]


def _deploy_missing(what: str) -> str:
    return f'Create the {what} again: see "Make a connection again" in docs/runbook.md'
