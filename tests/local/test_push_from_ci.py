"""CI pushes images: a workflow with an ID token, and a CI role that passes session tags."""

from typing import Any

import pytest

from local.account import CI_ROLE_ARN, Account, assume, docker_login
from local.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from local.iam_policies import allow, name_of
from local.principals import create_principals
from local.registry_client import RegistryRefused
from ops.clients import Clients
from ops.preflight.findings import Planned
from ops.preflight.oidc_providers import find_missing_oidc_providers
from settings.environment import Environment
from tests.local.emulator.patches.support import refused
from tests.local.id_tokens import GITHUB, assume_with, id_token

MAIN = "repo:acme@1234/pipelines@5678:ref:refs/heads/main"
FILES = {"marker": "pushed by CI"}
NOT_AUTHORIZED = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"


def test_a_workflow_with_the_subject_in_the_settings_pushes_to_its_team_and_to_no_other_team(
    aws: EmbeddedAws, local: dict[str, str]
) -> None:
    docker = docker_login(aws, assume_with(aws, local["PushRoleArnRisk"], id_token(MAIN)))

    docker.push("risk/var:from-ci", FILES)
    with pytest.raises(RegistryRefused, match=r"^403 .*ecr:InitiateLayerUpload"):
        docker.push("analytics/churn-model:from-ci", FILES)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("repo:acme/pipelines:ref:refs/heads/main", id="the format without IDs"),
        pytest.param("repo:acme@1234/pipelines@56789:ref:refs/heads/main", id="a repository whose ID starts alike"),
        pytest.param("repo:acme@1235/pipelines@5678:ref:refs/heads/main", id="another owner with the same name"),
        pytest.param("repo:acme@1234/pipelines-fork@5678:ref:refs/heads/main", id="a repository with a similar name"),
        pytest.param("repo:acme@1234/pipelines@5678:ref:refs/heads/main-2", id="a branch with a similar name"),
        pytest.param("repo:acme@1234/pipelines@5678:ref:refs/heads/another", id="another branch"),
        pytest.param("repo:acme@1234/pipelines@5678:ref:refs/tags/main", id="a tag with the name of the branch"),
        pytest.param("repo:acme@1234/pipelines@5678:pull_request", id="a pull request"),
        pytest.param("repo:acme@1234/pipelines@5678:environment:main", id="an environment"),
        pytest.param(MAIN.upper(), id="another case"),
    ],
)
def test_a_workflow_with_another_subject_cannot_assume_the_push_role(
    aws: EmbeddedAws, local: dict[str, str], subject: str
) -> None:
    refusal = refused(assume_with, aws=aws, role_arn=local["PushRoleArnRisk"], token=id_token(subject))
    assert refusal == NOT_AUTHORIZED


def test_a_workflow_with_an_audience_that_the_settings_do_not_name_cannot_assume_the_push_role(
    aws: EmbeddedAws, local: dict[str, str]
) -> None:
    iam, audience = aws.client("iam"), "https://github.com/acme"
    provider = f"{local['PushRoleArnRisk'].partition(':role/')[0]}:oidc-provider/{GITHUB}"
    request: dict[str, Any] = {"aws": aws, "role_arn": local["PushRoleArnRisk"], "token": id_token(MAIN, audience)}
    assert refused(assume_with, **request) == "InvalidIdentityToken: Incorrect token audience"

    # The provider can have more audiences, for other roles of the account.
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID=audience)
    try:
        assert refused(assume_with, **request) == NOT_AUTHORIZED
    finally:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
        iam.create_open_id_connect_provider(Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com"])


def test_the_push_role_of_another_team_does_not_trust_the_workflow(aws: EmbeddedAws, local: dict[str, str]) -> None:
    refusal = refused(assume_with, aws=aws, role_arn=local["PushRoleArnAnalytics"], token=id_token(MAIN))
    assert refusal == NOT_AUTHORIZED


def test_a_ci_role_with_session_tags_pushes_to_its_own_team_only(
    aws: EmbeddedAws, account: Account, local: dict[str, str]
) -> None:
    """GitHub's credentials action passes tags with AssumeRole. Some of them stay in the next sessions."""
    policy = {"RoleName": name_of(CI_ROLE_ARN), "PolicyName": "PassTags"}
    aws.client("iam").put_role_policy(**policy, PolicyDocument=allow("sts:AssumeRole", "sts:TagSession"))
    ci = aws.client("sts", assume(aws, CI_ROLE_ARN, account.operator))
    tagged = ci.assume_role(
        RoleArn=local["PushRoleArnRisk"],
        RoleSessionName="ci",
        Tags=[{"Key": "team", "Value": "analytics"}, {"Key": "Repository", "Value": "acme/pipelines"}],
        TransitiveTagKeys=["team"],
    )["Credentials"]
    aws.client("iam").delete_role_policy(**policy)
    docker = docker_login(aws, tagged)

    docker.push("risk/var:from-a-tagged-session", FILES)
    with pytest.raises(RegistryRefused, match=r"^403 .*ecr:InitiateLayerUpload"):
        docker.push("analytics/churn-model:from-a-tagged-session", FILES)


def test_make_up_creates_the_oidc_providers_that_a_settings_file_needs(empty_aws: EmbeddedAws) -> None:
    jobs = [{"project": "acme/jobs", "branch": "main"}, {"project": "acme/jobs", "tag": "v*", "audience": "another"}]
    environment = Environment.model_validate(
        {
            "name": "rehearsed",
            "account": ACCOUNT,
            "region": REGION,
            "teams": {"jobs": {"repositories": ["app"], "push": {"gitlab": jobs}}},
            "connections": {"docker_default": {"teams": ["jobs"]}},
            "alerts": {"off_because": "a test"},
        }
    )

    create_principals(empty_aws, environment)

    planned = Planned(environment, qualifier="hnb659fds")
    assert list(find_missing_oidc_providers(Clients(empty_aws.client), planned)) == []
