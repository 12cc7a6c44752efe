"""Each check of `ecr-login preflight` turns if what it names is broken, and no other check turns."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fnmatch import fnmatchcase
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from ops.clients import Clients
from ops.fixes import use_profile
from ops.preflight.bootstrap import OLDEST_VERSION
from ops.preflight.checks import ACTIONS, CHECKS
from ops.preflight.findings import Finding, Planned
from ops.preflight.functions import FIRST_REFRESHES_AT_ONCE
from ops.preflight.run import ask
from settings.environment import Environment
from stacks.docker_login import timings
from tests.changes.deployments import changed
from tests.conftest import Deployed
from tests.local.emulator.patches.support import allow, session_of_a_role

STOPS, NOTICE = True, False
IAM = f"arn:aws:iam::{ACCOUNT}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:glide"
SETTINGS: dict[str, Any] = {
    "name": "glide",
    "account": ACCOUNT,
    "region": REGION,
    "connections_prefix": "glide/connections",
    "teams": {
        "sailors": {"repositories": ["map"], "push": {"user_arns": [f"{IAM}:user/analyst"]}},
        "swimmers": {"repositories": ["sea"], "push": {"user_arns": [f"{IAM}:user/analyst"]}},
    },
    "connections": {f"docker_{name}": {"teams": ["sailors"]} for name in ("one", "two", "three", "four")},
    "workers": {"role_arns": [f"{IAM}:role/glide-worker"]},
    "alerts": {"topic_arn": TOPIC},
}
REPOSITORY, SECRET = "sailors/map", "glide/connections/docker_one"
TRUST = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}}
SENDERS = {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]}
FAR = {"connections": {"docker_far": {"registry": {"region": "us-west-2"}, "teams": ["sailors"]}}}
ELSEWHERE = {"connections": {"docker_far": {"registry": {"account": "222222222222"}, "teams": ["sailors"]}}}
READERS = {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "ecr:BatchGetImage"}


def planned(**changes: Any) -> Planned:
    qualifier = changes.pop("qualifier", "hnb659fds")
    return Planned(Environment.model_validate(changed(SETTINGS, changes)), qualifier)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _set_topic_policy(aws: EmbeddedAws, principal: Any) -> None:
    policy = _policy({"Effect": "Allow", "Principal": principal, "Action": "sns:Publish", "Resource": TOPIC})
    aws.client("sns").set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=policy)


@pytest.fixture(scope="module")
def account(aws: EmbeddedAws) -> Iterator[EmbeddedAws]:
    """The emulator with the worker role and the topic of the settings."""
    iam, sns = aws.client("iam"), aws.client("sns")
    iam.create_role(RoleName="glide-worker", AssumeRolePolicyDocument=json.dumps(TRUST))
    sns.create_topic(Name="glide")
    _set_topic_policy(aws, SENDERS)
    yield aws
    sns.delete_topic(TopicArn=TOPIC)
    iam.delete_role(RoleName="glide-worker")


# Breakages. Each one repairs what it broke.


@contextmanager
def secret(aws: EmbeddedAws, *, deleted: bool = False) -> Iterator[None]:
    client = aws.client("secretsmanager")
    client.create_secret(Name=SECRET, SecretString="by hand")
    try:
        if deleted:
            client.delete_secret(SecretId=SECRET)
        yield
    finally:
        client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


@contextmanager
def repository(
    aws: EmbeddedAws, name: str = REPOSITORY, policy: str | None = None, tag: str | None = None
) -> Iterator[None]:
    client = aws.client("ecr")
    client.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": tag}] if tag else [])
    try:
        if policy:
            client.set_repository_policy(repositoryName=name, policyText=policy, force=True)
        yield
    finally:
        client.delete_repository(repositoryName=name)


@contextmanager
def stack(
    aws: EmbeddedAws, name: str, kind: str, after: Callable[[], None] | None = None, **properties: Any
) -> Iterator[None]:
    client = aws.client("cloudformation")
    template = json.dumps({"Resources": {"One": {"Type": kind, "Properties": properties}}})
    client.create_stack(StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_NAMED_IAM"])
    try:
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
        if after:
            after()
        yield
    finally:
        client.delete_stack(StackName=name)
        client.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})


@contextmanager
def template(aws: EmbeddedAws) -> Iterator[None]:
    client = aws.client("ecr")
    client.create_repository_creation_template(prefix="sailors", appliedFor=["CREATE_ON_PUSH"])
    try:
        yield
    finally:
        client.delete_repository_creation_template(prefix="sailors")


@contextmanager
def role(aws: EmbeddedAws, name: str, path: str = "/") -> Iterator[None]:
    client = aws.client("iam")
    client.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(TRUST))
    try:
        yield
    finally:
        client.delete_role(RoleName=name)


@contextmanager
def full_worker(aws: EmbeddedAws, policies: int = 10) -> Iterator[None]:
    client = aws.client("iam")
    arns = [
        client.create_policy(PolicyName=f"glide-{number}", PolicyDocument=_policy(allow("s3:GetObject", on="*")))
        for number in range(policies)
    ]
    try:
        for each in arns:
            client.attach_role_policy(RoleName="glide-worker", PolicyArn=each["Policy"]["Arn"])
        yield
    finally:
        for each in arns:
            client.detach_role_policy(RoleName="glide-worker", PolicyArn=each["Policy"]["Arn"])
            client.delete_policy(PolicyArn=each["Policy"]["Arn"])


@contextmanager
def version(aws: EmbeddedAws, value: str) -> Iterator[None]:
    client, name = aws.client("ssm"), "/cdk-bootstrap/hnb659fds/version"
    before = client.get_parameter(Name=name)["Parameter"]["Value"]
    client.put_parameter(Name=name, Value=value, Overwrite=True)
    try:
        yield
    finally:
        client.put_parameter(Name=name, Value=before, Overwrite=True)


@contextmanager
def topic_policy(aws: EmbeddedAws, principal: Any) -> Iterator[None]:
    _set_topic_policy(aws, principal)
    try:
        yield
    finally:
        _set_topic_policy(aws, SENDERS)


@contextmanager
def topic_key(aws: EmbeddedAws, key: str | None = None) -> Iterator[None]:
    sns = aws.client("sns")
    key = key or aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue=key)
    try:
        yield
    finally:
        sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="KmsMasterKeyId", AttributeValue="")


@contextmanager
def nothing(aws: EmbeddedAws) -> Iterator[None]:
    yield


def _change_only_by(role_arn: str) -> str:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": [role_arn]}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchDeleteImage", "Condition": condition}
    return _policy({"Sid": "ChangeOnlyByDeployment", **deny})


def _push(**push: Any) -> Any:
    return {"teams": {"sailors": {"push": push}}}


def _add_readers(aws: EmbeddedAws) -> None:
    aws.client("ecr").set_repository_policy(repositoryName=REPOSITORY, policyText=_policy(READERS))


def _deny_all_but_another_deploy_role(aws: EmbeddedAws) -> None:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": [f"{IAM}:role/cdk-other-cfn-exec-role-1"]}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:PutSecretValue", "Resource": "*"}
    policy = _policy({**deny, "Condition": condition})
    aws.client("secretsmanager").put_resource_policy(SecretId=SECRET, ResourcePolicy=policy)


Break = Callable[[EmbeddedAws], AbstractContextManager[Any]]
GITLAB = {"project": "acme/sails", "branch": "main", "url": "https://git.glide.example"}
ECR, SECRETS, ROLE = "AWS::ECR::Repository", "AWS::SecretsManager::Secret", "AWS::IAM::Role"
# What is broken: the check that turns, whether it stops the deployment, the breakage, and changes of the settings.
BREAKAGES: dict[str, tuple[str, bool, Break, dict[str, Any]]] = {
    "no bootstrap": ("bootstrap", STOPS, nothing, {"qualifier": "other"}),
    "an old bootstrap": ("bootstrap", STOPS, lambda aws: version(aws, "5"), {}),
    "a secret by hand": ("secrets", STOPS, secret, {}),
    "a deleted secret": ("secrets", STOPS, lambda aws: secret(aws, deleted=True), {}),
    "a secret of another stack": ("secrets", STOPS, lambda aws: stack(aws, "old", SECRETS, Name=SECRET), {}),
    "a secret that leaves the settings": (
        "removed_secrets",
        NOTICE,
        lambda aws: stack(aws, "glide-DockerLogin", SECRETS, Name="glide/connections/docker_old"),
        {},
    ),
    "a repository of another stack": (
        "repositories",
        STOPS,
        lambda aws: stack(aws, "old", ECR, RepositoryName=REPOSITORY),
        {},
    ),
    "a repository with a policy": ("repositories", STOPS, lambda aws: repository(aws, policy=_policy(READERS)), {}),
    "a repository with the tag of a team": ("repository_tags", STOPS, lambda aws: repository(aws, tag="swimmers"), {}),
    "a repository with a tag of the company": ("repository_tags", NOTICE, lambda aws: repository(aws, tag="Data"), {}),
    "a policy by hand": (
        "repository_policies",
        NOTICE,
        lambda aws: stack(aws, "glide-Registry", ECR, lambda: _add_readers(aws), RepositoryName=REPOSITORY),
        {},
    ),
    "a repository that leaves the settings": (
        "removed_repositories",
        NOTICE,
        lambda aws: stack(aws, "glide-Registry", ECR, RepositoryName="sailors/old"),
        {},
    ),
    "a missing repository": (
        "existing_repositories",
        NOTICE,
        nothing,
        {"teams": {"sailors": {"existing_repositories": ["no_such"]}}},
    ),
    "a creation template": ("creation_templates", STOPS, template, {"teams": {"sailors": {"create_on_push": True}}}),
    "a repository policy of another bootstrap": (
        "deploy_role",
        STOPS,
        lambda aws: repository(aws, policy=_change_only_by(f"{IAM}:role/cdk-other-cfn-exec-role-1")),
        {},
    ),
    "a secret policy of another bootstrap": (
        "deploy_role",
        STOPS,
        lambda aws: stack(
            aws, "glide-DockerLogin", SECRETS, lambda: _deny_all_but_another_deploy_role(aws), Name=SECRET
        ),
        {},
    ),
    "a push role by hand": ("push_roles", STOPS, lambda aws: role(aws, "glide-ecr-push-sailors"), {}),
    "a push role with another path": (
        "push_roles",
        STOPS,
        lambda aws: stack(
            aws,
            "glide-Access",
            ROLE,
            RoleName="glide-ecr-push-sailors",
            Path="/old/",
            AssumeRolePolicyDocument=TRUST,
        ),
        {},
    ),
    "a pull role by hand": ("pull_roles", STOPS, lambda aws: role(aws, "glide-ecr-pull-docker_far"), ELSEWHERE),
    "a missing repository in another Region": ("other_registries", NOTICE, nothing, FAR),
    "a missing user": ("principals", STOPS, nothing, _push(user_arns=[f"{IAM}:user/nobody"])),
    "a missing role": ("principals", STOPS, nothing, _push(role_arns=[f"{IAM}:role/no-such"])),
    "a missing worker role": ("principals", STOPS, nothing, {"workers": {"role_arns": [f"{IAM}:role/no-worker"]}}),
    "a worker role with another path": (
        "principals",
        STOPS,
        nothing,
        {"workers": {"role_arns": [f"{IAM}:role/path/glide-worker"]}},
    ),
    "a missing boundary": ("principals", STOPS, nothing, {"permissions_boundary_arn": f"{IAM}:policy/no-such"}),
    "a missing break-glass role": (
        "principals",
        NOTICE,
        nothing,
        {"break_glass_role_arns": [f"{IAM}:role/no-break-glass"]},
    ),
    "a missing permission set": ("permission_sets", NOTICE, nothing, _push(permission_sets=["Sailor"])),
    "a missing OIDC provider": ("oidc_providers", NOTICE, nothing, _push(gitlab=[GITLAB])),
    "a worker role with ten policies": ("worker_roles", STOPS, full_worker, {}),
    "a worker role with nine policies that also runs tasks": (
        "worker_roles",
        STOPS,
        lambda aws: full_worker(aws, 9),
        {"ecs": {"tasks": {REPOSITORY: {"image_tag": "1"}}}},
    ),
    "a missing topic": ("topic", NOTICE, nothing, {"alerts": {"topic_arn": f"{TOPIC}-no-such"}}),
    "a topic that CloudWatch cannot use": (
        "topic",
        NOTICE,
        lambda aws: topic_policy(aws, {"Service": "events.amazonaws.com"}),
        {},
    ),
    "a topic that EventBridge cannot use": (
        "topic",
        NOTICE,
        lambda aws: topic_policy(aws, {"Service": "cloudwatch.amazonaws.com"}),
        {},
    ),
    "a topic with the key of SNS": ("topic", NOTICE, lambda aws: topic_key(aws, "alias/aws/sns"), {}),
    "a topic with a key that the services cannot use": ("topic", NOTICE, topic_key, {}),
    "a low limit of Lambda": ("concurrency", NOTICE, lambda aws: aws.concurrency_limit(5), {}),
    "a stack that leaves the settings": (
        "stacks",
        NOTICE,
        lambda aws: stack(aws, "glide-EcsTasks", ECR, RepositoryName="sailors/other"),
        {},
    ),
}


def clients_of(aws: EmbeddedAws, credentials: dict[str, str] | None = None, sent: set[str] | None = None) -> Clients:
    """Return clients for the emulator, which does not have the service Account Management.

    Args:
        aws: The emulator.
        credentials: Credentials as STS returns them; by default those of the account's root user.
        sent: A set that gets the action of each request.
    """
    enabled = (SimpleNamespace(status_code=200), {"RegionOptStatus": "ENABLED"})

    def create(service: str, region_name: str | None = None) -> Any:
        client = aws.client(service, credentials, region=region_name)
        prefix = client.meta.service_model.signing_name

        def record(model: Any, **_: Any) -> Any:
            if sent is not None:
                sent.add(f"{prefix}:{model.name}")
            return enabled if model.name == "GetRegionOptStatus" else None

        client.meta.events.register("before-call", record)
        return client

    return Clients(create)


def problems(clients: Clients, deployment: Planned) -> dict[str, Sequence[Finding]]:
    """Return the findings of each check that has some."""
    found, unanswered = ask(clients, deployment, CHECKS, deadline=monotonic() + 10)
    assert unanswered == {}
    return {name: some for name, some in found.items() if some}


def stopping(found: Mapping[str, Sequence[Finding]]) -> dict[str, set[bool]]:
    """Return for each check with findings whether they stop the deployment."""
    return {name: {finding.stops for finding in some} for name, some in found.items()}


@pytest.fixture
def profile() -> Iterator[str]:
    """A profile that the printed commands contain."""
    use_profile("deployer")
    yield "--profile deployer"
    use_profile(None)


@pytest.mark.parametrize("broken", BREAKAGES)
def test_exactly_the_check_that_names_a_problem_turns(account: EmbeddedAws, profile: str, broken: str) -> None:
    check, stops, break_it, changes = BREAKAGES[broken]
    with break_it(account):
        found = problems(clients_of(account), planned(**changes))

    assert stopping(found) == {check: {stops}}
    fixes = " && ".join(finding.fix for finding in found[check])
    commands = re.findall(r"(?:aws [a-z0-9-]+ [a-z-]+|make [a-z]+) [^&]*", fixes)
    assert [command for command in commands if profile not in command] == []


def test_no_check_turns_if_nothing_is_broken(account: EmbeddedAws) -> None:
    assert stopping(problems(Clients(account.client), planned())) == {}


def test_every_check_is_broken_once() -> None:
    others = {"recent_pushes"}  # The emulator has no event history. test_repositories.py has its tests.
    assert {check for check, *_ in BREAKAGES.values()} == set(CHECKS) - others


@pytest.mark.parametrize(("quota", "is_full"), [(10, True), (20, False)])
def test_the_quota_of_the_account_decides_whether_a_worker_role_is_full(
    account: EmbeddedAws, quota: int, is_full: bool
) -> None:
    clients = Clients(account.client)
    clients.iam.meta.events.register(
        "after-call.iam.GetAccountSummary",
        lambda parsed, **_: parsed["SummaryMap"].update(AttachedPoliciesPerRoleQuota=quota),
    )
    with full_worker(account):
        assert stopping(problems(clients, planned())) == ({"worker_roles": {STOPS}} if is_full else {})


def test_the_policies_of_the_deployment_do_not_count_as_policies_of_others(account: EmbeddedAws) -> None:
    policy = json.loads(_policy(allow("s3:GetObject", on="*")))
    ours = stack(account, "glide-DockerLogin", "AWS::IAM::ManagedPolicy", PolicyDocument=policy, Roles=["glide-worker"])
    with full_worker(account, 9), ours:
        assert len(account.client("iam").list_attached_role_policies(RoleName="glide-worker")["AttachedPolicies"]) == 10
        assert stopping(problems(Clients(account.client), planned())) == {}


def test_the_numbers_of_the_checks_are_those_of_the_stacks() -> None:
    assert timings.FIRST_REFRESHES_AT_ONCE == FIRST_REFRESHES_AT_ONCE


# Permissions


@pytest.fixture
def broad() -> Planned:
    """Settings that make every check send requests."""
    return planned(
        teams={
            "sailors": {
                "create_on_push": True,
                "existing_repositories": ["no_such"],
                "push": {"permission_sets": ["Sailor"], "gitlab": [GITLAB], "role_arns": [f"{IAM}:role/no-such"]},
            }
        },
        permissions_boundary_arn=f"{IAM}:policy/no-such",
        **FAR,
    )


@contextmanager
def everything(aws: EmbeddedAws) -> Iterator[None]:
    """Break enough that the checks send all of their requests."""
    with ExitStack() as broken:
        broken.enter_context(repository(aws))
        broken.enter_context(secret(aws))
        broken.enter_context(role(aws, "glide-ecr-push-sailors"))
        broken.enter_context(role(aws, "glide-ecr-pull-docker_far"))
        broken.enter_context(full_worker(aws))
        broken.enter_context(topic_key(aws))
        broken.enter_context(stack(aws, "glide-DockerLogin", SECRETS, Name="glide/connections/docker_old"))
        broken.enter_context(stack(aws, "glide-Registry", ECR, RepositoryName="swimmers/sea"))
        yield


def test_each_check_sends_exactly_the_requests_of_its_actions(account: EmbeddedAws, broad: Planned) -> None:
    sent: set[str] = set()

    with everything(account):
        for name, find in CHECKS.items():
            sent.clear()
            list(
                find(clients_of(account, sent=sent), broad)
            )  # Each check has clients of its own, because clients keep answers.
            assert sorted(sent) == sorted(ACTIONS[name]), name


def test_the_actions_are_enough_for_all_checks(account: EmbeddedAws, broad: Planned) -> None:
    actions = sorted({action for some in ACTIONS.values() for action in some})
    session = session_of_a_role(account, "preflight", allow(*actions, on="*"))
    with everything(account):
        _, unanswered = ask(clients_of(account, session), broad, CHECKS, deadline=monotonic() + 10)
    assert unanswered == {}


def test_the_policy_read_only_access_allows_all_actions(account: EmbeddedAws) -> None:
    iam, arn = account.client("iam"), "arn:aws:iam::aws:policy/ReadOnlyAccess"
    current = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]["Document"]
    patterns = [
        pattern
        for statement in document["Statement"]
        if statement["Resource"] == "*"
        for pattern in statement["Action"]
    ]
    actions = {action for some in ACTIONS.values() for action in some}
    assert {action for action in actions if not any(fnmatchcase(action, pattern) for pattern in patterns)} == set()


def test_the_stacks_need_the_bootstrap_version_of_the_check(deployed: Deployed) -> None:
    manifests = [json.loads(file.read_text()) for file in deployed.state.rglob("manifest.json")]
    needed = {
        artifact["properties"]["requiresBootstrapStackVersion"]
        for manifest in manifests
        for artifact in manifest["artifacts"].values()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    assert needed == {OLDEST_VERSION}
