"""Create the principals of a settings file in the emulator's account, and AWS CLI profiles for these principals.

On AWS, these principals exist before this project is deployed. Here, a role has only the permissions that its part in
the settings requires.
"""

import json
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from local.embedded_aws import ROOT_CREDENTIALS, EmbeddedAws
from local.iam_policies import allow, assumed_by, name_of
from settings.environment import Environment, Push

OPERATOR = "operator"
_PERMISSION_SET_SUFFIX = "0123456789abcdef"  # IAM Identity Center appends sixteen random characters.


@dataclass(frozen=True)
class Profile:
    """A profile of the AWS CLI: a user with an access key, or a role that another profile assumes.

    Attributes:
        who: the description that `make up` prints.
        credentials: the access key of a user.
        role_arn: the role.
        source: the name of the profile that assumes the role.
    """

    who: str
    credentials: dict[str, str] = field(default_factory=dict, repr=False)
    role_arn: str = ""
    source: str = OPERATOR


def create_principals(aws: EmbeddedAws, environment: Environment) -> dict[str, Profile]:
    """Create the principals in the settings that do not exist yet, and return a dict of name to profile.

    Principals of other accounts are not created.
    """
    account = _Account(aws, environment.account)
    profiles = {
        "default": Profile("the account's root, also without --profile", ROOT_CREDENTIALS),
        OPERATOR: Profile("the user who may assume all roles that the settings name", account.user(OPERATOR)),
        "other-admin": Profile("an administrator who is not in the settings", account.user("other-admin", "*")),
    }
    workers = [account.role(arn) for arn in environment.workers.role_arns]
    if workers:
        profiles["worker"] = Profile("an Airflow worker", role_arn=workers[0])
    break_glass = [account.role(arn, "secretsmanager:*", "kms:*", "ecr:*") for arn in environment.break_glass_role_arns]
    if break_glass:
        who = "the role that may roll back the login and delete images in an emergency"
        profiles["break-glass"] = Profile(who, role_arn=break_glass[0])
    for team, settings in environment.teams.items():
        for workflow in settings.push.workflows:
            account.oidc_provider(workflow.issuer, workflow.audience)
        pushers = _pushers(account, settings.push)
        for name, pusher in pushers.items():
            profiles.setdefault(name, pusher)
        if pushers:
            source, pusher = next(iter(pushers.items()))
            needs_mfa = " (refused: it needs MFA, which the emulator lacks)" if settings.push.require_mfa else ""
            push = Profile(
                f"{source} in the push role of the team {team}{needs_mfa}",
                role_arn=f"arn:aws:iam::{environment.account}:role{environment.role_path}{environment.push_role_name(team)}",
                source=source,
            )
            profiles[f"push-{team}"] = push
            profiles.setdefault("push", push)
    if environment.permissions_boundary_arn:
        account.policy(environment.permissions_boundary_arn)
    if environment.alerts.topic_arn:
        account.topic(environment.alerts.topic_arn)
    return profiles


def _pushers(account: "_Account", push: Push) -> dict[str, Profile]:
    """Create the principals that may push for a team, and return a dict of name to profile."""
    found: dict[str, Profile] = {}
    for arn in push.user_arns:
        if account.owns(arn):
            name = name_of(arn)
            found[name] = Profile("a user that may push", account.user(name, "sts:AssumeRole", path=_path(arn)))
    for arn in push.role_arns:
        if account.owns(arn):
            found[name_of(arn)] = Profile("a role that may push", role_arn=account.role(arn, "sts:AssumeRole"))
    for name in push.permission_sets:
        path = "/aws-reserved/sso.amazonaws.com/"
        arn = f"arn:aws:iam::{account.number}:role{path}AWSReservedSSO_{name}_{_PERMISSION_SET_SUFFIX}"
        found[name] = Profile("a person with this permission set", role_arn=account.role(arn, "sts:AssumeRole"))
    return found


class _Account:
    """The account of the emulator. Each principal is created only once."""

    def __init__(self, aws: EmbeddedAws, number: str) -> None:
        self.number = number
        self._iam = aws.client("iam")
        self._sns = aws.client("sns")
        self._keys: dict[str, dict[str, str]] = {}

    def owns(self, arn: str) -> bool:
        return arn.split(":")[4] == self.number

    def user(self, name: str, action: str = "sts:AssumeRole", path: str = "/") -> dict[str, str]:
        """Create a user that may do an action, and return the user's access key."""
        if name not in self._keys:
            self._iam.create_user(UserName=name, Path=path)
            self._iam.put_user_policy(UserName=name, PolicyName="Local", PolicyDocument=allow(action))
            key = self._iam.create_access_key(UserName=name)["AccessKey"]
            self._keys[name] = {each: key[each] for each in ("AccessKeyId", "SecretAccessKey")}
        return self._keys[name]

    def role(self, arn: str, *actions: str) -> str:
        """Create a role that may do these actions and that the operator may assume. Return the role's ARN."""
        name = name_of(arn)
        trust = assumed_by(f"arn:aws:iam::{self.number}:user/{OPERATOR}")
        try:
            self._iam.create_role(RoleName=name, Path=_path(arn), AssumeRolePolicyDocument=trust)
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
        if actions:
            policy = allow(*actions)
            self._iam.put_role_policy(RoleName=name, PolicyName=f"Local{len(actions)}", PolicyDocument=policy)
        return arn

    def oidc_provider(self, issuer: str, audience: str) -> None:
        """Create the OIDC provider of an issuer, or add an audience to the provider."""
        url = f"https://{issuer}"
        try:
            self._iam.create_open_id_connect_provider(Url=url, ClientIDList=[audience])
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
            self._iam.add_client_id_to_open_id_connect_provider(
                OpenIDConnectProviderArn=f"arn:aws:iam::{self.number}:oidc-provider/{issuer}", ClientID=audience
            )

    def policy(self, arn: str) -> None:
        """Create a managed policy that allows all actions. As a permissions boundary, it limits no principal."""
        if self.owns(arn):
            self._iam.create_policy(PolicyName=name_of(arn), Path=_path(arn), PolicyDocument=allow("*"))

    def topic(self, arn: str) -> None:
        """Create a topic that lets alarms and rules publish."""
        if self.owns(arn):
            services = {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]}
            statement = {"Effect": "Allow", "Principal": services, "Action": "sns:Publish", "Resource": arn}
            policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
            self._sns.create_topic(Name=arn.rsplit(":", 1)[-1], Attributes={"Policy": policy})


def _path(arn: str) -> str:
    """Return the path of a principal: `/ci/` for `arn:aws:iam::123456789012:role/ci/deployer`."""
    return "/" + "".join(f"{part}/" for part in arn.split(":", 5)[5].split("/")[1:-1])
