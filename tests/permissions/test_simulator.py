"""Known answers of the simulator for actions that its own data does not contain."""

from typing import Any

import pytest

from tests.permissions.account import Document
from tests.permissions.environments import ACCOUNT, REGION
from tests.permissions.simulator import Question, Situation, decide

# The simulator's data does not contain the first action. The second one is made up.
UNKNOWN = ("secretsmanager:AssociateCrossAccountReplica", "secretsmanager:ActionOfTomorrow")
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:name-AbCdEf"
ROLE, OTHER_ROLE = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("deploy", "other"))


def statement(effect: str, **elements: Any) -> dict[str, Any]:
    return {"Effect": effect, "Resource": "*", **elements}


def deny_others(**elements: Any) -> dict[str, Any]:
    condition = {"ArnNotEquals": {"aws:PrincipalArn": [ROLE]}}
    return statement("Deny", Principal={"AWS": "*"}, Condition=condition, **elements)


ALLOW_ALL = statement("Allow", Action="*")
# Each case: the statement of the identity-based policy, the statement of the secret's policy, the role, the decision.
CASES = {
    "a wildcard for the service allows it": (statement("Allow", Action="secretsmanager:*"), None, ROLE, True),
    "a wildcard for every action allows it": (ALLOW_ALL, None, ROLE, True),
    "a wildcard with its first letter allows it": (statement("Allow", Action="secretsmanager:A*"), None, ROLE, True),
    "a wildcard for other names does not allow it": (
        statement("Allow", Action="secretsmanager:Get*"),
        None,
        ROLE,
        False,
    ),
    "a wildcard for another service does not allow it": (statement("Allow", Action="kms:*"), None, ROLE, False),
    "no policy allows it": (statement("Allow", Action="secretsmanager:GetSecretValue"), None, ROLE, False),
    "NotAction with another action allows it": (
        statement("Allow", NotAction="secretsmanager:GetSecretValue"),
        None,
        ROLE,
        True,
    ),
    "NotAction with another action denies it": (
        ALLOW_ALL,
        deny_others(NotAction=["secretsmanager:GetSecretValue"]),
        OTHER_ROLE,
        False,
    ),
    "a condition excepts the role from NotAction": (
        ALLOW_ALL,
        deny_others(NotAction=["secretsmanager:GetSecretValue"]),
        ROLE,
        True,
    ),
    "NotAction with the action does not deny it": (ALLOW_ALL, deny_others(NotAction=[*UNKNOWN]), OTHER_ROLE, True),
    "its name denies it": (ALLOW_ALL, deny_others(Action=[*UNKNOWN]), OTHER_ROLE, False),
}


@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_simulator_decides_actions_that_its_data_does_not_contain(one_by_one: bool) -> None:
    def policy(kind: str, content: dict[str, Any]) -> tuple[str, Document]:
        return kind, {"Version": "2012-10-17", "Statement": [content]}

    policies: dict[str, tuple[str, Document]] = {}
    questions = []
    for name, (of_role, of_secret, role, _) in CASES.items():
        policies[f"role, {name}"] = policy("identity", of_role)
        if of_secret:
            policies[f"secret, {name}"] = policy("resource", of_secret)
        situation = Situation(
            principal=role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/session",
            resource=SECRET,
            account=ACCOUNT,
            context={"aws:PrincipalArn": role},
            identity=(f"role, {name}",),
            resource_policy=f"secret, {name}" if of_secret else None,
        )
        questions.append(Question(situation, UNKNOWN))

    decisions = decide(policies, questions, one_by_one=one_by_one)

    answers = dict(zip(CASES, decisions, strict=True))
    assert answers == {name: "11" if allowed else "00" for name, (_, _, _, allowed) in CASES.items()}
