"""Changes of settings that a deployment makes in place, without an interruption for Airflow.

One environment is deployed four times. Each deployment changes many settings, and each test checks one setting.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import cdk
from local.account import BREAK_GLASS_ROLE_ARN, CI_ROLE_ARN, WORKER_ROLE_ARN, Account, assume, docker_login
from local.demo import FILES, read
from local.embedded_aws import ACCOUNT, REGION, ROOT_CREDENTIALS, EmbeddedAws
from local.iam_policies import allow, assumed_by, name_of
from ops.preflight.findings import Finding
from ops.preflight.stacks import find_stacks
from settings.lifecycle_policy import MOST_IMAGES
from tests.changes.deployments import (
    Deployer,
    Deployment,
    Settings,
    changed,
    delete_stack,
    is_allowed,
    login_pulls,
    pulls,
)
from tests.changes.rows import plays
from tests.local.id_tokens import GITHUB, assume_with, id_token
from tests.readings import Readings, reading

ANALYST = f"arn:aws:iam::{ACCOUNT}:user/analyst"
OTHER_WORKER_ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/kept-other-worker"
PERMISSION_SET_ROLE_ARN = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Kept_0123456789abcdef"
)
BOUNDARY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/kept-boundary"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:kept-topic"
SECRET = "kept/connections/docker_kept"

# For each workflow, the subject, the audience and the issuer of its ID token.
WORKFLOWS = {
    "a branch on GitHub": ("repo:acme/kept:ref:refs/heads/main", "sts.amazonaws.com", GITHUB),
    "an environment on GitHub": ("repo:acme@12/moved@34:environment:production", "sts.amazonaws.com", GITHUB),
    "a branch on GitLab": ("project_path:acme/kept:ref_type:branch:ref:main", "sts.amazonaws.com", "gitlab.com"),
    "a tag on another GitLab server": ("project_path:acme/moved:ref_type:tag:ref:v1", "kept", "git.kept.example"),
}

FIRST: Settings = {
    "account": ACCOUNT,
    "region": REGION,
    "connections_prefix": "kept/connections",
    "teams": {
        "red": {"repositories": ["one", "two"], "push": {"user_arns": [ANALYST]}},
        "blue": {"repositories": ["one"], "push": {"user_arns": [ANALYST]}},
    },
    "connections": {"docker_kept": {"teams": ["red"]}},
    "workers": {"role_arns": [WORKER_ROLE_ARN], "clean_up": {"tag_key": "role", "tag_value": "kept"}},
    "ecs": {"tasks": {"red/one": {"image_tag": "1"}}},
    "alerts": {"emails": ["first@example.com"]},
}
SECOND = changed(
    FIRST,
    {
        "secret_key": "customer",
        "break_glass_role_arns": [BREAK_GLASS_ROLE_ARN],
        "permissions_boundary_arn": BOUNDARY_ARN,
        "teams": {
            "red": {
                "push": {
                    "user_arns": None,
                    "role_arns": [CI_ROLE_ARN],
                    "permission_sets": ["Kept"],
                    "github": [{"repository": "acme/kept", "branch": "main"}],
                    "gitlab": [{"project": "acme/kept", "branch": "main"}],
                },
                "repository_defaults": {"mutable_tags": ["latest"], "keep_images": 7},
                "existing_repositories": ["kept_old"],
                "pull_accounts": ["222222222222"],
                "pull_organization": "o-abcd123456",
                "repository": {
                    "two": {"lifecycle": {"protected_tags": ["v*"], "keep_images": 8, "expire_untagged_after_days": 3}},
                },
            },
            "blue": {
                "push": {"require_mfa": True},
                "others_may_push_because": "a test",
                "lifecycle": {"protected_tags": ["release-*"], "keep_images": 9, "expire_untagged_after_days": 4},
            },
        },
        "connections": {"docker_kept": {"teams": ["red", "blue"], "refresh_every_minutes": 60}},
        "workers": {
            "role_arns": [WORKER_ROLE_ARN, OTHER_WORKER_ROLE_ARN],
            "pull_directly": True,
            "clean_up": {
                "tag_key": "purpose",
                "tag_value": "other",
                "schedule": "cron(30 2 ? * SUN *)",
                "containers_older_than_hours": 48,
                "images_older_than_hours": 96,
            },
        },
        "ecs": {
            "tasks": {
                "red/one": {"image_tag": "2", "cpu_units": 512, "memory_mib": 1024},
                "blue/one": {"image_tag": "1"},
            }
        },
        "alerts": {
            "emails": ["first@example.com", "second@example.com"],
            "runbook": "https://runbook.example.com/",
            "scan_findings": "high",
        },
        "tags": {"cost-centre": "42", "stage": "one"},
    },
)
THIRD = changed(
    FIRST,
    {
        "teams": {
            "red": {
                "push": {
                    "github": [
                        {
                            "repository": "acme/moved",
                            "environment": "production",
                            "owner_id": 12,
                            "repository_id": 34,
                        }
                    ],
                    "gitlab": [
                        {"project": "acme/moved", "tag": "v*", "url": "https://git.kept.example", "audience": "kept"}
                    ],
                }
            }
        },
        "workers": {"role_arns": [OTHER_WORKER_ROLE_ARN], "clean_up": None},
        "ecs": None,
        "scan": "off",
        "tags": {"cost-centre": "43"},
        "alerts": {"emails": None, "topic_arn": TOPIC_ARN},
    },
)
FOURTH = changed(
    FIRST,
    {
        "teams": {"blue": None},
        "workers": {"role_arns": [OTHER_WORKER_ROLE_ARN, WORKER_ROLE_ARN]},
        "scan": "registry",
        "alerts": {"emails": None, "off_because": "a test"},
    },
)
REPLACED = {
    # A deployment publishes a new version of the function if its configuration changes.
    "AWS::Lambda::Version",
    # Another image or size of a task is a new revision of the task definition.
    "AWS::ECS::TaskDefinition",
}


@dataclass(frozen=True)
class Played:
    """Four deployments, and what was observed after and during them.

    Attributes:
        deployments: the state after each deployment.
        announced: the output of `cdk diff` before the second deployment.
        notices: what the checks of the stacks find after the third deployment.
        observed: the observations after each deployment.
        readings: what a worker read during the second, third and fourth deployment.
    """

    deployments: list[Deployment]
    announced: str
    notices: list[Finding]
    observed: list[dict[str, Any]]
    readings: list[Readings]


@pytest.fixture(scope="module")
def played(aws: EmbeddedAws, account: Account, worker_role: Any, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Deploy four times. After each deployment, observe what the principals can do and what exists."""
    iam = aws.client("iam")
    by_operator = assumed_by(f"arn:aws:iam::{ACCOUNT}:user/operator")
    for arn, path in ((OTHER_WORKER_ROLE_ARN, "/"), (PERMISSION_SET_ROLE_ARN, "/aws-reserved/sso.amazonaws.com/")):
        iam.create_role(RoleName=name_of(arn), Path=path, AssumeRolePolicyDocument=by_operator)
    for arn in (PERMISSION_SET_ROLE_ARN, CI_ROLE_ARN):
        iam.put_role_policy(RoleName=name_of(arn), PolicyName="Kept", PolicyDocument=allow("sts:AssumeRole"))
    for url, audience in (("https://gitlab.com", "sts.amazonaws.com"), ("https://git.kept.example", "kept")):
        iam.create_open_id_connect_provider(Url=url, ClientIDList=[audience])
    iam.create_policy(PolicyName=name_of(BOUNDARY_ARN), PolicyDocument=allow("*"))
    aws.client("ecr").create_repository(repositoryName="kept_old", tags=[{"Key": "by", "Value": "hand"}])
    docker_login(aws, ROOT_CREDENTIALS).push("kept_old:1", FILES)
    aws.client("sns").create_topic(Name=TOPIC_ARN.rpartition(":")[2])
    other_worker = aws.client("secretsmanager", assume(aws, OTHER_WORKER_ROLE_ARN, account.operator))
    deployer = Deployer(aws, tmp_path_factory.mktemp("in-place"))

    deployments = [deployer.deploy("kept", FIRST)]
    for team, image in (("Red", "red/one:1"), ("Red", "red/one:latest"), ("Blue", "blue/one:1")):
        role = deployments[0].outputs[f"PushRoleArn{team}"]
        docker_login(aws, assume(aws, role, account.analyst)).push(image, FILES)
    observed = [observe(aws, account, deployments[0])]
    readings, announced, notices = [], "", []
    for settings, reader in ((SECOND, worker_role), (THIRD, other_worker), (FOURTH, other_worker)):
        assembly = deployer.synthesize("kept", settings)
        if settings is SECOND:
            announced = cdk.diff(aws, assembly, "kept/*")
        with aws.slow_stacks(), reading(reader, [SECRET]) as during:
            cdk.deploy(aws, assembly, "kept/*")
        deployments.append(deployer.state("kept", assembly))
        observed.append(observe(aws, account, deployments[-1]))
        readings.append(during)
        if settings is THIRD:
            notices = list(find_stacks(deployer.clients, deployer.planned("kept", THIRD)))
            for stack in ("kept-EcsTasks", "kept-WorkerUpkeep"):
                delete_stack(aws, stack)
            observed[-1]["policies after the deletion"] = policies_of(aws, OTHER_WORKER_ROLE_ARN)
    return Played(deployments, announced, notices, observed, readings)


def lifecycle_of(aws: EmbeddedAws, repository: str) -> dict[str, int]:
    """Return the number of each rule by the tags that the rule selects, or an empty dict without a policy."""
    ecr = aws.client("ecr")
    try:
        text = ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return {}
    selections = [rule["selection"] for rule in json.loads(text)["rules"]]
    return {(each.get("tagPatternList") or [each["tagStatus"]])[0]: each["countNumber"] for each in selections}


def observe(aws: EmbeddedAws, account: Account, deployment: Deployment) -> dict[str, Any]:
    """Return what the principals can do now, and the properties that the settings change."""
    cloudwatch, ecr, ecs, iam, sns, ssm = (
        aws.client(each) for each in ("cloudwatch", "ecr", "ecs", "iam", "sns", "ssm")
    )
    pushers = {
        "analyst": account.analyst,
        "permission set": assume(aws, PERMISSION_SET_ROLE_ARN, account.operator),
        "ci": assume(aws, CI_ROLE_ARN, account.operator),
    }
    roles = {"worker": WORKER_ROLE_ARN, "other": OTHER_WORKER_ROLE_ARN, "break glass": BREAK_GLASS_ROLE_ARN}
    sessions = {who: assume(aws, arn, account.operator) for who, arn in roles.items()}
    clients = {who: aws.client("secretsmanager", session) for who, session in sessions.items()}
    can_read = {who for who, client in clients.items() if is_allowed(read, client, SECRET)}
    a_worker = "worker" if "worker" in can_read else "other"
    [repository] = ecr.describe_repositories(repositoryNames=["red/one"])["repositories"]
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="kept-")["MetricAlarms"]
    [schedule] = deployment.of("AWS::Scheduler::Schedule").values()
    return {
        "can assume": {
            (who, team)
            for who, credentials in pushers.items()
            for team in ("Red", "Blue")
            if f"PushRoleArn{team}" in deployment.outputs
            and is_allowed(assume, aws, deployment.outputs[f"PushRoleArn{team}"], credentials)
        },
        "workflows": {
            workflow
            for workflow, claims in WORKFLOWS.items()
            if is_allowed(assume_with, aws, deployment.outputs["PushRoleArnRed"], id_token(*claims))
        },
        "can read": can_read,
        "key": aws.client("secretsmanager").describe_secret(SecretId=SECRET).get("KmsKeyId"),
        "boundaries": {
            iam.get_role(RoleName=role)["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
            for role in deployment.of("AWS::IAM::Role").values()
        },
        "login pulls": {
            image for image in ("red/one:1", "blue/one:1", "kept_old:1") if pulls(aws, clients[a_worker], SECRET, image)
        },
        "pulls directly": login_pulls(docker_login, aws, sessions[a_worker], image="red/one:1"),
        "mutability": repository["imageTagMutability"],
        "mutable tags": [each["filter"] for each in repository.get("imageTagMutabilityExclusionFilters", [])],
        "statements": {name: statements_of(aws, name) for name in ("red/one", "blue/one")},
        "lifecycles": {name: lifecycle_of(aws, name) for name in ("red/one", "red/two", "blue/one")},
        "alarms": {alarm["AlarmName"]: (alarm["AlarmActions"], alarm["AlarmDescription"]) for alarm in alarms},
        "alarm minutes": {alarm["EvaluationPeriods"] for alarm in alarms if "LoginExpires" not in alarm["AlarmName"]},
        "mails": {
            sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["Endpoint"]: arn
            for arn in deployment.of("AWS::SNS::Subscription").values()
        },
        "rate": aws.client("scheduler").get_schedule(Name=schedule)["ScheduleExpression"],
        "tasks": {
            family: ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
            for output, family in deployment.outputs.items()
            if output.startswith("EcsTaskFamily")
        },
        "clean-up": {
            association: ssm.describe_association(AssociationId=association)["AssociationDescription"]
            for association in deployment.of("AWS::SSM::Association").values()
        },
        "policies": policies_of(aws, roles[a_worker]),
        "scan on push": repository["imageScanningConfiguration"]["scanOnPush"],
        "reported": [
            json.loads(rule["EventPattern"])["detail"]["finding-severity-counts"]
            for rule in aws.client("events").list_rules(NamePrefix="kept-")["Rules"]
        ],
        "tags": tags_in(aws, deployment, repository["repositoryArn"]),
    }


def tags_in(aws: EmbeddedAws, deployment: Deployment, repository_arn: str) -> list[dict[str, str]]:
    """Return the tags of the stack with the logins, and of a repository, a role, the secret and a function.

    CloudFormation's own tags are left out.
    """
    role = deployment.outputs["PushRoleArnRed"].rpartition("/")[2]
    function = aws.client("lambda").get_function(FunctionName=deployment.outputs["RefreshFunctionNameDockerKept"])
    [stack] = aws.client("cloudformation").describe_stacks(StackName="kept-DockerLogin")["Stacks"]
    pairs = [
        stack.get("Tags", []),
        aws.client("ecr").list_tags_for_resource(resourceArn=repository_arn)["tags"],
        aws.client("iam").list_role_tags(RoleName=role)["Tags"],
        aws.client("secretsmanager").describe_secret(SecretId=SECRET).get("Tags", []),
    ]
    found = [*({tag["Key"]: tag["Value"] for tag in tags} for tags in pairs), function.get("Tags", {})]
    return [{key: value for key, value in tags.items() if not key.startswith("aws:")} for tags in found]


def statements_of(aws: EmbeddedAws, repository: str) -> list[str]:
    """Return the Sids of the statements of a repository's policy."""
    try:
        answer = aws.client("ecr").get_repository_policy(repositoryName=repository)
    except ClientError:
        return []
    return [statement["Sid"] for statement in json.loads(answer["policyText"])["Statement"]]


def policies_of(aws: EmbeddedAws, role_arn: str) -> set[str]:
    """Return which stacks of `kept` have a managed policy on a role."""
    attached = aws.client("iam").list_attached_role_policies(RoleName=name_of(role_arn))["AttachedPolicies"]
    names = [policy["PolicyName"] for policy in attached]
    return {stack for stack in ("DockerLogin", "EcsTasks") for name in names if name.startswith(f"kept-{stack}-")}


def all_kept(played: Played, kind: str) -> bool:
    """Return whether the resources of a type keep their physical ids in all deployments that contain them."""
    ids: dict[str, set[str]] = {}
    for deployment in played.deployments:
        for logical, physical in deployment.of(kind).items():
            ids.setdefault(logical, set()).add(physical)
    return bool(ids) and all(len(each) == 1 for each in ids.values())


@pytest.mark.parametrize("step", [0, 1, 2], ids=["second", "third", "fourth"])
def test_a_worker_reads_a_valid_login_at_every_moment_of_a_deployment(played: Played, step: int) -> None:
    assert played.readings[step].failures == []
    assert played.readings[step].logins > 50


def test_no_change_replaces_another_resource(played: Played) -> None:
    first, second = (deployment.resources for deployment in played.deployments[:2])
    assert {kind for logical, (kind, _) in first.items() if second.get(logical) != first[logical]} <= REPLACED


def test_cdk_diff_announces_no_other_replacement(played: Played) -> None:
    """The CDK CLI knows for every property whether a change replaces the resource on AWS."""
    announced = set(re.findall(r"^\[[~+-]\] (\S+) .*(?:replace|destroy|orphan)", played.announced, re.MULTILINE))
    assert announced <= REPLACED
    assert "AWS::ECS::TaskDefinition" in announced


@plays("secret_key")
def test_the_key_of_a_secret_changes_in_both_directions(aws: EmbeddedAws, played: Played) -> None:
    [key] = played.deployments[1].of("AWS::KMS::Key").values()
    assert [each["key"] and each["key"].rpartition("/")[2] for each in played.observed] == [None, key, None, None]
    assert aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert all_kept(played, "AWS::SecretsManager::Secret")


@plays("break_glass_role_arns")
def test_only_a_break_glass_role_in_the_settings_reads_the_login(played: Played) -> None:
    assert ["break glass" in each["can read"] for each in played.observed] == [False, True, False, False]


@plays("permissions_boundary_arn")
def test_all_roles_get_and_lose_the_boundary_and_stay(played: Played) -> None:
    first, second, third, fourth = (each["boundaries"] for each in played.observed)
    assert (first, second, fourth) == ({None}, {BOUNDARY_ARN}, {None})
    assert third == {None, BOUNDARY_ARN}  # The stack of the removed tasks is not deleted yet.


@plays(
    "teams.<team>.push.permission_sets",
    "teams.<team>.push.role_arns",
    "teams.<team>.push.user_arns",
    "teams.<team>.push.require_mfa",
)
def test_the_principals_of_a_push_role_change_in_place(played: Played) -> None:
    users = {("analyst", "Red"), ("analyst", "Blue")}
    others = {("permission set", "Red"), ("ci", "Red")}  # The session of the analyst has no MFA, which Blue requires.
    assert [each["can assume"] for each in played.observed[:3]] == [users, others, users]


@plays(
    *(
        f"teams.<team>.push.github.{key}"
        for key in ("repository", "branch", "environment", "owner_id", "repository_id")
    ),
    *(f"teams.<team>.push.gitlab.{key}" for key in ("project", "branch", "tag", "url", "audience")),
)
def test_added_workflows_can_push_and_removed_workflows_cannot(played: Played) -> None:
    branch, environment, gitlab_branch, gitlab_tag = WORKFLOWS
    assert [each["workflows"] for each in played.observed] == [
        set(),
        {branch, gitlab_branch},
        {environment, gitlab_tag},
        set(),
    ]


@plays("teams.<team>")
def test_a_removed_team_loses_its_push_role_and_keeps_its_repositories(aws: EmbeddedAws, played: Played) -> None:
    third, fourth = (set(each.of("AWS::IAM::Role").values()) for each in played.deployments[2:])
    assert {role for role in third - fourth if "-ecr-push-" in role} == {"kept-ecr-push-blue"}
    assert played.observed[3]["can assume"] == {("analyst", "Red")}
    names = {each["repositoryName"] for each in aws.client("ecr").describe_repositories()["repositories"]}
    assert "blue/one" in names


@plays("teams.<team>.repository_defaults.mutable_tags")
def test_the_mutable_tags_of_a_repository_change_in_place(played: Played) -> None:
    immutable = "IMMUTABLE"
    changes = [immutable, "IMMUTABLE_WITH_EXCLUSION", immutable, immutable]
    assert [each["mutability"] for each in played.observed] == changes
    assert [each["mutable tags"] for each in played.observed] == [[], ["latest"], [], []]
    assert all_kept(played, "AWS::ECR::Repository")


@plays("teams.<team>.others_may_push_because", "teams.<team>.pull_accounts", "teams.<team>.pull_organization")
def test_the_policy_of_a_repository_changes_in_place(played: Played) -> None:
    push, readers = ["PushOnlyByTeam"], ["PullByOtherAccounts", "PullByOrganization"]
    with_break_glass = [*push, "ChangeOnlyByDeployment"]
    of_red = [each["statements"]["red/one"] for each in played.observed]
    assert of_red == [push, [*with_break_glass, *readers], push, push]
    # The fourth deployment removes the team, and its repositories keep their policies.
    assert [each["statements"]["blue/one"] for each in played.observed] == [push, [], push, push]


@plays("teams.<team>.repository_defaults.keep_images")
def test_the_number_of_images_of_a_repository_changes_in_place(played: Played) -> None:
    assert [each["lifecycles"]["red/one"] for each in played.observed] == [{}, {"any": 7}, {}, {}]


@plays(
    "teams.<team>.lifecycle.protected_tags",
    "teams.<team>.lifecycle.keep_images",
    "teams.<team>.lifecycle.expire_untagged_after_days",
)
def test_the_lifecycle_of_a_team_changes_in_place(played: Played) -> None:
    second = {"release-*": MOST_IMAGES, "untagged": 4, "any": 9}
    assert [each["lifecycles"]["blue/one"] for each in played.observed[:3]] == [{}, second, {}]


@plays(
    'teams.<team>.repository."<name>".lifecycle.protected_tags',
    'teams.<team>.repository."<name>".lifecycle.keep_images',
    'teams.<team>.repository."<name>".lifecycle.expire_untagged_after_days',
)
def test_the_lifecycle_of_one_repository_changes_in_place(played: Played) -> None:
    second = {"v*": MOST_IMAGES, "untagged": 3, "any": 8}
    assert [each["lifecycles"]["red/two"] for each in played.observed] == [{}, second, {}, {}]


@plays("connections.<id>.teams")
def test_the_login_pulls_the_images_of_the_teams_after_each_deployment(played: Played) -> None:
    red, both = {"red/one:1"}, {"red/one:1", "blue/one:1"}
    assert [each["login pulls"] - {"kept_old:1"} for each in played.observed] == [red, both, red, red]


@plays("teams.<team>.existing_repositories")
def test_the_login_pulls_from_an_existing_repository_while_it_is_in_the_settings(
    aws: EmbeddedAws, played: Played
) -> None:
    assert ["kept_old:1" in each["login pulls"] for each in played.observed] == [False, True, False, False]
    [repository] = aws.client("ecr").describe_repositories(repositoryNames=["kept_old"])["repositories"]
    tags = aws.client("ecr").list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    assert (repository["imageTagMutability"], tags) == ("MUTABLE", [{"Key": "by", "Value": "hand"}])


@plays("connections.<id>.refresh_every_minutes")
def test_the_interval_changes_in_place(played: Played) -> None:
    rates = ["rate(30 minutes)", "rate(1 hour)", "rate(30 minutes)", "rate(30 minutes)"]
    assert [each["rate"] for each in played.observed] == rates
    # The alarm fires after two intervals and 30 minutes.
    assert [max(each["alarm minutes"]) for each in played.observed[:3]] == [90, 150, 90]
    assert all_kept(played, "AWS::Scheduler::Schedule")


@plays("alerts.emails")
def test_an_address_keeps_its_subscription(played: Played) -> None:
    first, second, third, _ = (each["mails"] for each in played.observed)
    assert set(second) == {"first@example.com", "second@example.com"}
    assert second["first@example.com"] == first["first@example.com"]
    assert third == {}


@plays("alerts.topic_arn", "alerts.runbook")
def test_alarms_get_another_topic_and_another_link_in_place(played: Played) -> None:
    first, second, third, _ = (each["alarms"] for each in played.observed)
    assert len(first) == 3
    assert set(first) == set(second) == set(third)
    assert {topic for actions, _ in third.values() for topic in actions} == {TOPIC_ARN}
    assert all("https://runbook.example.com/#" in description for _, description in second.values())


@plays("alerts.off_because")
def test_without_alerts_there_are_no_alarms(played: Played) -> None:
    assert played.observed[3]["alarms"] == {}


@plays("scan")
def test_the_scan_on_push_changes_in_place_and_the_registry_setting_keeps_it(played: Played) -> None:
    assert [each["scan on push"] for each in played.observed] == [True, True, False, False]


@plays("alerts.scan_findings")
def test_rules_report_other_findings_and_are_deleted_without_scans(played: Played) -> None:
    critical, high = ({severity: [{"numeric": [">", 0]}]} for severity in ("CRITICAL", "HIGH"))
    assert [each["reported"] for each in played.observed] == [[critical], [{"$or": [critical, high]}], [], []]


@plays("tags")
def test_tags_change_in_place_on_stacks_and_resources(played: Played) -> None:
    changes: list[dict[str, str]] = [{}, {"cost-centre": "42", "stage": "one"}, {"cost-centre": "43"}, {}]
    for tags, each in zip(changes, played.observed, strict=True):
        stack, repository, *others = each["tags"]
        assert repository == {**tags, "team": "red"}
        assert [stack, *others] == [tags] * 4


@plays("workers.role_arns")
def test_a_role_reads_the_login_as_long_as_it_is_in_the_settings(played: Played) -> None:
    readers = [each["can read"] - {"break glass"} for each in played.observed]
    assert readers == [{"worker"}, {"worker", "other"}, {"other"}, {"worker", "other"}]


@plays("workers.pull_directly")
def test_a_worker_pulls_directly_only_if_the_setting_is_true(played: Played) -> None:
    assert [each["pulls directly"] for each in played.observed] == [False, True, False, False]


@plays(
    "workers.clean_up.tag_key",
    "workers.clean_up.tag_value",
    "workers.clean_up.schedule",
    "workers.clean_up.containers_older_than_hours",
    "workers.clean_up.images_older_than_hours",
)
def test_the_clean_up_changes_in_place(played: Played) -> None:
    first, second = (each["clean-up"] for each in played.observed[:2])
    [(association, before)] = first.items()
    assert before["Targets"] == [{"Key": "tag:role", "Values": ["kept"]}]
    after = second[association]
    assert after["Targets"] == [{"Key": "tag:purpose", "Values": ["other"]}]
    assert after["ScheduleExpression"] == "cron(30 2 ? * SUN *)"
    commands = after["Parameters"]["commands"][0]
    assert "docker container prune -f --filter until=48h" in commands
    assert "docker image prune -af --filter until=96h" in commands


@plays(
    'ecs.tasks."<team>/<name>".image_tag',
    'ecs.tasks."<team>/<name>".cpu_units',
    'ecs.tasks."<team>/<name>".memory_mib',
)
def test_another_image_or_size_is_a_new_revision_of_the_same_family(played: Played) -> None:
    first, second = (each["tasks"] for each in played.observed[:2])
    assert set(first) == {"kept-red-one"}
    assert set(second) == {"kept-red-one", "kept-blue-one"}
    assert [tasks["kept-red-one"]["revision"] for tasks in (first, second)] == [1, 2]
    assert (second["kept-red-one"]["cpu"], second["kept-red-one"]["memory"]) == ("512", "1024")
    assert second["kept-red-one"]["containerDefinitions"][0]["image"].endswith("/red/one:2")


@plays("[workers.clean_up]", "[ecs]")
def test_the_stack_of_a_removed_table_stays_until_it_is_deleted(played: Played) -> None:
    third, fourth = played.deployments[2:]
    for kind in ("AWS::ECS::Cluster", "AWS::SSM::Association"):
        assert len(third.of(kind)) == len(fourth.of(kind)) == 1
    gone = [re.findall("no longer contain the stack ([^.]+)", finding.problem) for finding in played.notices]
    assert gone == [["kept-EcsTasks"], ["kept-WorkerUpkeep"]]
    assert played.observed[2]["policies"] == {"DockerLogin", "EcsTasks"}
    assert played.observed[2]["policies after the deletion"] == {"DockerLogin"}
