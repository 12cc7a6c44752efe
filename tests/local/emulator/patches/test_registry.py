"""The registry behind `docker login`: tokens, permissions to push and pull, and immutable tags."""

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from local.embedded_aws import ACCOUNT, REGION, ROOT_CREDENTIALS, EmbeddedAws
from tests.local.emulator.patches.support import (
    LATEST_EXCLUDED,
    REGISTRY,
    Docker,
    Statement,
    allow,
    arn_of,
    grant,
    refused,
    session_of_a_role,
)
from tests.local.logins import places_with_a_login

OTHER_ACCOUNT = "222222222222"
OTHER_REGION = "eu-west-1"


def test_each_token_is_new_and_has_the_format_of_aws_tokens(aws: EmbeddedAws) -> None:
    one, other = Docker(aws), Docker(aws)
    # Assert on booleans: pytest prints the values in a failed assert, and the tokens are secret.
    is_new = one.password != other.password
    looks_right = bool(re.fullmatch(r"[A-Za-z0-9+/]{2000,}={1,2}", one.password))
    has_every_kind = {"+", "/", "="} <= set(one.password)
    assert (is_new, looks_right, has_every_kind) == (True, True, True)
    assert one.token["proxyEndpoint"] == f"https://{REGISTRY}"
    assert abs(one.token["expiresAt"] - datetime.now(UTC) - timedelta(hours=12)) < timedelta(minutes=1)
    assert one.status("GET", "") == other.status("GET", "") == 200


@pytest.mark.parametrize("authorization", [None, "Basic !", "Basic QVdTOnVua25vd24=", "Bearer x"])
def test_a_request_without_a_valid_login_is_answered_with_a_challenge(
    aws: EmbeddedAws, authorization: str | None
) -> None:
    docker = Docker(aws)
    docker.authorization = authorization
    for path in ("", "any/manifests/v1"):
        response = docker.send("GET", path)
        assert response.status == 401
        challenge = f'Basic realm="https://{REGISTRY}/",service="ecr.amazonaws.com"'
        assert response.headers["WWW-Authenticate"] == challenge


def test_a_token_is_valid_for_the_user_aws_only(aws: EmbeddedAws) -> None:
    docker = Docker(aws)
    docker.authorization = "Basic " + base64.b64encode(f"analyst:{docker.password}".encode()).decode()
    assert docker.status("GET", "") == 401


EXPIRED = 403, "DENIED", "Your authorization token has expired. Reauthenticate and try again."


def test_a_token_of_another_region_is_refused_like_an_expired_token(aws: EmbeddedAws) -> None:
    docker = Docker(aws)
    docker.host = REGISTRY.replace(REGION, OTHER_REGION)
    assert docker.error("GET", "") == EXPIRED
    docker.host = f"{OTHER_ACCOUNT}.dkr.ecr.{OTHER_REGION}.amazonaws.com"
    assert docker.error("GET", "") == EXPIRED


def test_a_token_expires_after_twelve_hours(aws_in_time: EmbeddedAws) -> None:
    docker = Docker(aws_in_time)
    aws_in_time.advance_clock(12 * 60 - 1)
    assert docker.status("GET", "") == 200
    aws_in_time.advance_clock(1)
    assert docker.error("GET", "") == EXPIRED
    assert Docker(aws_in_time).status("GET", "") == 200


ANALYST = f"arn:aws:sts::{ACCOUNT}:assumed-role/analyst/session"
LAYER = b"layer"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture(scope="module")
def analyst_session(aws: EmbeddedAws) -> dict[str, str]:
    """A session of a role. Each test sets the role's permissions."""
    return session_of_a_role(aws, "analyst", allow("ecr:GetAuthorizationToken"))


@pytest.fixture(scope="module")
def analyst(aws: EmbeddedAws, analyst_session: dict[str, str]) -> Docker:
    """A Registry API client of a role. Each test sets the role's permissions after the token was created."""
    aws.client("ecr").create_repository(repositoryName="team/image")
    aws.client("ecr").create_repository(repositoryName="other/image")
    return Docker(aws, analyst_session)


@pytest.mark.parametrize(
    ("action", "method", "path"),
    [
        ("ecr:InitiateLayerUpload", "POST", "team/image/blobs/uploads/"),
        ("ecr:UploadLayerPart", "PATCH", "team/image/blobs/uploads/1"),
        ("ecr:CompleteLayerUpload", "PUT", f"team/image/blobs/uploads/1?digest={digest_of(LAYER)}"),
        ("ecr:UploadLayerPart", "DELETE", "team/image/blobs/uploads/1"),
        ("ecr:BatchCheckLayerAvailability", "HEAD", f"team/image/blobs/{digest_of(LAYER)}"),
        ("ecr:GetDownloadUrlForLayer", "GET", f"team/image/blobs/{digest_of(LAYER)}"),
        ("ecr:PutImage", "PUT", "team/image/manifests/v1"),
        ("ecr:BatchGetImage", "GET", "team/image/manifests/v1"),
        ("ecr:BatchGetImage", "HEAD", "team/image/manifests/v1"),
        ("ecr:BatchDeleteImage", "DELETE", f"team/image/manifests/{digest_of(LAYER)}"),
        ("ecr:ListImages", "GET", "team/image/tags/list"),
    ],
)
def test_each_operation_of_the_registry_needs_its_iam_action(
    aws: EmbeddedAws, analyst: Docker, action: str, method: str, path: str
) -> None:
    team = arn_of("team/*")
    grant(aws, "analyst", allow(action, on=team))
    assert analyst.status(method, path, LAYER) not in (401, 403)

    grant(
        aws, "analyst", {"Effect": "Allow", "NotAction": action, "Resource": team}, allow(action, on=arn_of("other/*"))
    )
    assert analyst.status(method, path, LAYER) == 403
    if method != "HEAD":
        assert analyst.error(method, path, LAYER) == (
            *(403, "DENIED"),
            f"User: {ANALYST} is not authorized to perform: {action} on resource: {arn_of('team/image')} "
            f"because no identity-based policy allows the {action} action",
        )


@pytest.mark.parametrize("missing", ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"])
def test_a_layer_in_one_request_needs_all_three_permissions(aws: EmbeddedAws, analyst: Docker, missing: str) -> None:
    push = "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"
    path = f"team/image/blobs/uploads/?digest={digest_of(LAYER)}"
    grant(aws, "analyst", allow(*push))
    assert analyst.status("POST", path, LAYER) == 201
    grant(aws, "analyst", allow(*(action for action in push if action != missing)))
    assert analyst.status("POST", path, LAYER) == 403


def test_mounting_a_layer_needs_the_permission_to_read_it_in_its_own_repository(
    aws: EmbeddedAws, analyst: Docker
) -> None:
    secret = b"a layer of another team"
    assert Docker(aws).status("POST", f"other/image/blobs/uploads/?digest={digest_of(secret)}", secret) == 201
    mount = f"team/image/blobs/uploads/?mount={digest_of(secret)}&from=other/image"
    grant(aws, "analyst", allow("ecr:*", on=arn_of("team/*")))
    status, code, message = analyst.error("POST", mount)
    assert (status, code) == (403, "DENIED")
    assert f"ecr:GetDownloadUrlForLayer on resource: {arn_of('other/image')}" in message

    grant(
        aws, "analyst", allow("ecr:*", on=arn_of("team/*")), allow("ecr:GetDownloadUrlForLayer", on=arn_of("other/*"))
    )
    assert analyst.status("POST", mount) == 201


def test_permissions_may_depend_on_the_tag_of_a_repository(aws: EmbeddedAws, analyst: Docker) -> None:
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "analytics"}}
    grant(aws, "analyst", allow("ecr:*", Condition=by_tag))
    ecr = aws.client("ecr")
    for team, status in (("risk", 403), ("analytics", 201)):
        ecr.tag_resource(resourceArn=arn_of("team/image"), tags=[{"Key": "team", "Value": team}])
        assert analyst.push("team/image", "by-tag", "image") == status


def test_a_permissions_boundary_limits_a_token(aws: EmbeddedAws, analyst: Docker) -> None:
    iam = aws.client("iam")
    pull_only = json.dumps({"Version": "2012-10-17", "Statement": allow("ecr:BatchGetImage")})
    boundary = iam.create_policy(PolicyName="pull-only", PolicyDocument=pull_only)["Policy"]["Arn"]
    grant(aws, "analyst", allow("ecr:*"))
    assert analyst.push("team/image", "bounded", "image") == 201
    iam.put_role_permissions_boundary(RoleName="analyst", PermissionsBoundary=boundary)
    assert analyst.push("team/image", "bounded", "image") == 403
    assert analyst.status("GET", "team/image/manifests/bounded") == 200
    iam.delete_role_permissions_boundary(RoleName="analyst")


@pytest.mark.parametrize(
    ("effect", "permissions", "status"), [("Deny", [allow("ecr:*")], 403), ("Allow", [allow("sts:*")], 201)]
)
def test_a_repository_policy_can_deny_and_allow(
    aws: EmbeddedAws, analyst: Docker, effect: str, permissions: list[Statement], status: int
) -> None:
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/analyst"}
    policy = {"Statement": {"Effect": effect, "Principal": principal, "Action": "ecr:PutImage"}}
    ecr = aws.client("ecr")
    grant(aws, "analyst", *permissions)
    ecr.set_repository_policy(repositoryName="team/image", policyText=json.dumps(policy))
    assert analyst.push("team/image", "by-policy", "image") == status
    ecr.delete_repository_policy(repositoryName="team/image")


def test_the_token_of_a_deleted_role_has_no_permissions(aws: EmbeddedAws) -> None:
    aws.client("ecr").create_repository(repositoryName="orphaned")
    docker = Docker(aws, session_of_a_role(aws, "leaver", allow("ecr:*")))
    assert docker.push("orphaned", "v1", "image") == 201
    aws.client("iam").delete_role_policy(RoleName="leaver", PolicyName="permissions")
    aws.client("iam").delete_role(RoleName="leaver")
    assert docker.push("orphaned", "v1", "image") == 403


def test_the_log_contains_no_token(aws: EmbeddedAws, analyst: Docker) -> None:
    analyst.push("team/image", "logged", "image")
    log = {"server.log": (aws.state / "server.log").read_text()}
    leaks = places_with_a_login(log, analyst.password[:40], analyst.token["authorizationToken"][:40])
    assert leaks == []


@pytest.mark.parametrize(
    ("mutability", "filters", "mutable", "immutable"),
    [
        ("MUTABLE", None, ["v1", "latest"], []),
        ("IMMUTABLE", None, [], ["v1", "latest"]),
        ("IMMUTABLE_WITH_EXCLUSION", "latest", ["latest"], ["v1", "latest-1"]),
        ("IMMUTABLE_WITH_EXCLUSION", "dev*", ["dev", "dev-1"], ["v1", "my-dev"]),
        ("MUTABLE_WITH_EXCLUSION", "v*", ["latest"], ["v1"]),
    ],
)
def test_a_tag_can_be_moved_only_if_the_repository_allows_it(
    aws: EmbeddedAws, mutability: str, filters: str | None, mutable: list[str], immutable: list[str]
) -> None:
    name = f"moves/{mutability}-{filters}".lower().replace("*", "x").replace("_", "-")
    excluding = (
        {"imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": filters}]} if filters else {}
    )
    ecr = aws.client("ecr")
    created = ecr.create_repository(repositoryName=name, imageTagMutability=mutability, **excluding)["repository"]
    assert excluding.items() <= created.items()
    docker = Docker(aws)
    for tag in mutable:
        assert [docker.push(name, tag, content) for content in ("first", "second")] == [201, 201]
    for tag in immutable:
        message = (
            f"The image tag '{tag}' already exists in the '{name}' repository "
            "and cannot be overwritten because the tag is immutable."
        )
        assert [docker.push(name, tag, "first") for _ in range(2)] == [201, 201]
        assert docker.error("PUT", f"{name}/manifests/{tag}", b"second") == (400, "TAG_INVALID", message)
        put = {"repositoryName": name, "imageTag": tag, "imageManifest": "second"}
        assert refused(ecr.put_image, **put) == f"ImageTagAlreadyExistsException: {message}"


def test_changing_the_tag_mutability_replaces_the_exclusion_filters(aws: EmbeddedAws) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="changing")
    excluding = {"imageTagMutabilityExclusionFilters": LATEST_EXCLUDED}
    for mutability, filters in (("IMMUTABLE_WITH_EXCLUSION", excluding), ("IMMUTABLE", {})):
        ecr.put_image_tag_mutability(repositoryName="changing", imageTagMutability=mutability, **filters)
        (found,) = ecr.describe_repositories(repositoryNames=["changing"])["repositories"]
        assert {key: found[key] for key in excluding if key in found} == filters


READER = f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/reader/session"
PULL = "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"
ROOT_OF_OTHER_ACCOUNT = {"AccessKeyId": OTHER_ACCOUNT, "SecretAccessKey": ROOT_CREDENTIALS["SecretAccessKey"]}


@pytest.fixture(scope="module")
def reader_session(aws: EmbeddedAws) -> dict[str, str]:
    """A session of a role of another account, which may do everything in ECR by its own policy."""
    iam = aws.client("iam", ROOT_OF_OTHER_ACCOUNT)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}}
    role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    grant_reader(aws, allow("ecr:*"))
    sts = aws.client("sts", ROOT_OF_OTHER_ACCOUNT)
    session: dict[str, str] = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="session")["Credentials"]
    return session


@pytest.fixture
def reader(aws: EmbeddedAws, reader_session: dict[str, str]) -> Docker:
    """A Registry API client of a role of another account, at the registry of the emulator's own account."""
    grant_reader(aws, allow("ecr:*"))
    docker = Docker(aws, reader_session)
    assert docker.token["proxyEndpoint"] == f"https://{OTHER_ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    return docker


def grant_reader(aws: EmbeddedAws, *statements: Statement) -> None:
    document = json.dumps({"Statement": list(statements)})
    iam = aws.client("iam", ROOT_OF_OTHER_ACCOUNT)
    iam.put_role_policy(RoleName="reader", PolicyName="permissions", PolicyDocument=document)


def share(aws: EmbeddedAws, repository: str, *statements: Statement) -> None:
    """Set the policy of a repository. Each statement gets the other account as its principal, unless it has one."""
    principal = {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    document = json.dumps({"Statement": [{"Principal": principal, **statement} for statement in statements]})
    aws.client("ecr").set_repository_policy(repositoryName=repository, policyText=document)


def in_repository(effect: str, *actions: str, **elements: object) -> Statement:
    """Return a statement of a repository policy, which has no Resource."""
    return {"Effect": effect, "Action": list(actions), **elements}


def test_a_principal_of_another_account_pulls_what_the_repository_policy_allows(
    aws: EmbeddedAws, reader: Docker
) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="shared")
    Docker(aws).push("shared", "1", "image")
    assert reader.error("GET", "shared/manifests/1")[2].endswith(
        "no resource-based policy allows the ecr:BatchGetImage action"
    )
    assert reader.status("GET", "unknown/manifests/1") == 403

    share(aws, "shared", in_repository("Allow", "ecr:BatchGetImage"))

    assert reader.status("GET", "shared/manifests/1") == 200
    assert reader.push("shared", "2", "image") == 403


def test_a_pull_from_another_account_also_needs_the_permission_in_the_own_policies(
    aws: EmbeddedAws, reader: Docker
) -> None:
    aws.client("ecr").create_repository(repositoryName="both-sides")
    Docker(aws).push("both-sides", "1", "image")
    share(aws, "both-sides", in_repository("Allow", *PULL))
    path, elsewhere = "both-sides/manifests/1", arn_of("both-sides").replace(ACCOUNT, OTHER_ACCOUNT)

    grant_reader(aws, allow("ecr:*", on=elsewhere))
    assert reader.error("GET", path) == (
        *(403, "DENIED"),
        f"User: {READER} is not authorized to perform: ecr:BatchGetImage on resource: {arn_of('both-sides')} "
        "because no identity-based policy allows the ecr:BatchGetImage action",
    )
    grant_reader(aws, allow(*PULL, on=arn_of("both-sides")))
    assert reader.status("GET", path) == 200


def test_a_deny_on_either_side_refuses_a_pull_from_another_account(aws: EmbeddedAws, reader: Docker) -> None:
    aws.client("ecr").create_repository(repositoryName="denied")
    Docker(aws).push("denied", "1", "image")

    def answer() -> tuple[int, str]:
        response = reader.send("GET", "denied/manifests/1")
        return response.status, response.data.decode().partition("with an explicit deny in ")[2].partition('"')[0]

    share(aws, "denied", in_repository("Allow", *PULL), in_repository("Deny", "ecr:BatchGetImage"))
    assert answer() == (403, "a resource-based policy")
    share(aws, "denied", in_repository("Allow", *PULL))
    grant_reader(aws, allow("ecr:*"), {"Effect": "Deny", "Action": "ecr:BatchGetImage", "Resource": arn_of("denied")})
    assert answer() == (403, "an identity-based policy")
    grant_reader(aws, allow("ecr:*"))
    assert answer() == (200, "")


def test_a_repository_policy_can_allow_one_role_of_another_account(aws: EmbeddedAws, reader: Docker) -> None:
    """The principal is the account, and a condition names the role. A role that is created again stays allowed."""
    aws.client("ecr").create_repository(repositoryName="for-a-role")
    Docker(aws).push("for-a-role", "1", "image")
    for role, status in (("other", 403), ("reader", 200)):
        condition = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER_ACCOUNT}:role/{role}"}}
        share(aws, "for-a-role", in_repository("Allow", *PULL, Condition=condition))
        assert reader.status("GET", "for-a-role/manifests/1") == status


def test_a_push_to_another_account_needs_both_sides(aws: EmbeddedAws, reader: Docker) -> None:
    aws.client("ecr").create_repository(repositoryName="pushed-from-elsewhere")
    assert reader.push("pushed-from-elsewhere", "1", "image") == 403
    share(aws, "pushed-from-elsewhere", in_repository("Allow", "ecr:PutImage"))
    assert reader.push("pushed-from-elsewhere", "1", "image") == 201
    grant_reader(aws, allow(*PULL))
    assert reader.push("pushed-from-elsewhere", "2", "image") == 403


def test_a_pull_in_another_region_of_the_own_account_needs_only_the_own_policies(
    aws: EmbeddedAws, analyst_session: dict[str, str]
) -> None:
    aws.client("ecr", region=OTHER_REGION).create_repository(repositoryName="abroad")
    assert Docker(aws, region=OTHER_REGION).push("abroad", "1", "image") == 201
    log_in = allow("ecr:GetAuthorizationToken")
    grant(aws, "analyst", log_in)
    docker = Docker(aws, analyst_session, OTHER_REGION)
    assert docker.token["proxyEndpoint"] == f"https://{ACCOUNT}.dkr.ecr.{OTHER_REGION}.amazonaws.com"
    for region, status in ((REGION, 403), (OTHER_REGION, 200)):
        grant(aws, "analyst", log_in, allow("ecr:BatchGetImage", on=arn_of("abroad").replace(REGION, region)))
        assert docker.status("GET", "abroad/manifests/1") == status


def test_a_statement_for_all_principals_can_exclude_the_own_account(
    aws: EmbeddedAws, reader: Docker, analyst: Docker
) -> None:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName="organization")
    Docker(aws).push("organization", "1", "image")
    grant(aws, "analyst", allow("ecr:GetAuthorizationToken"))

    def pulls(condition: dict[str, dict[str, str]]) -> tuple[int, int]:
        statement = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage", "Condition": condition}
        ecr.set_repository_policy(repositoryName="organization", policyText=json.dumps({"Statement": [statement]}))
        path = "organization/manifests/1"
        return reader.status("GET", path), analyst.status("GET", path)

    assert pulls({}) == (200, 200)
    assert pulls({"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}) == (200, 403)
    assert pulls({"StringEquals": {"aws:PrincipalOrgID": "o-abcd123456"}}) == (403, 403)
