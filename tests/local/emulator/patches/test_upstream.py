"""MiniStack still needs each patch. The tests run MiniStack's modules in this process without patches.

When a test here fails after an upgrade of MiniStack, a patch may no longer be needed.
"""

import asyncio
import importlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local.embedded_aws import ACCOUNT, REGION
from tests.local.emulator.patches.support import LATEST_EXCLUDED, LATEST_EXCLUDED_IN_A_TEMPLATE, eventually
from tests.local.id_tokens import GITHUB, id_token

LINES = """
import logging

log = logging.getLogger()
log.setLevel("INFO")


def handle(event, context):
    log.info("for your information")
    log.warning("for your attention")
"""


@contextmanager
def needs_patch(patch: str) -> Iterator[None]:
    """Add the patch that MiniStack may no longer need to the error of a failing test."""
    try:
        yield
    except Exception as failure:
        raise AssertionError(
            f"MiniStack may behave like AWS now (see the cause): remove patches/{patch}.py or a part of it"
        ) from failure


@pytest.fixture(autouse=True)
def ministack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import MiniStack with a temporary state folder, and reset its services after the test."""
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    import ministack
    from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # noqa: F401
    from ministack.services import (  # noqa: F401
        cloudwatch,
        ecr,
        eventbridge,
        iam,
        kms,
        lambda_svc,
        scheduler,
        secretsmanager,
        sns,
        sqs,
        sts,
        tagging,
    )

    yield ministack
    for service in (cloudwatch, ecr, iam, kms, scheduler, secretsmanager, sns, sqs, sts):
        service.reset()


@pytest.fixture
def handlers() -> Any:
    """Return MiniStack's handlers of template resources, as a dict of resource type to handler."""
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    return _RESOURCE_HANDLERS


@pytest.mark.parametrize(
    ("patch", "module", "names"),
    [
        (
            "secrets_manager",
            "services.secretsmanager",
            [
                *("_create_secret", "_get_secret_value", "_put_secret_value", "_update_secret", "_resolve"),
                *("_list_secret_version_ids", "_describe_secret", "_list_secrets"),
                *("_put_resource_policy", "_delete_resource_policy", "_secrets", "_purge_secret"),
            ],
        ),
        ("secret_keys", "services.kms", ["_resolve_key", "_check_key_state"]),
        *(
            ("stack_conditions", f"services.cloudformation.{module}", ["_evaluate_conditions"])
            for module in ("changesets", "engine", "handlers", "stacks")
        ),
        (
            "cloudformation",
            "services.cloudformation.provisioners",
            [
                *("_sm_secret_create", "_sm_secret_update", "_sm_secret_delete"),
                *("_ecr_repo_create", "_ecr_repo_update", "_ecr_repo_delete"),
                *("_RESOURCE_HANDLERS", "_ecr_cfn_to_api"),
            ],
        ),
        ("drift", "services.cloudformation.drift", ["_DRIFT_READERS"]),
        (
            "subscriptions",
            "services.sns",
            [
                *("_topics", "_sub_arn_to_topic", "_find_subscription", "_refresh_subscription_counts", "_p"),
                *("_subscribe", "_confirm_subscription", "_list_subscriptions", "_list_subscriptions_by_topic"),
            ],
        ),
        (
            "subscriptions",
            "services.cloudformation.provisioners",
            ["_sns_sub_create", "_sns_sub_delete", "_RESOURCE_HANDLERS"],
        ),
        ("associations", "services.ssm", ["handle_request"]),
        ("cloudformation", "services.cloudformation.stacks", ["_with_stack_tags"]),
        ("cloudformation", "services.cloudformation.changesets", ["_IMPORT_LOOKUPS"]),
        (
            "stack_pace",
            "services.cloudformation.stacks",
            ["_runs_on_worker_thread", "_provision_keeping_seed", "_update_keeping_seed", "_delete_resource"],
        ),
        ("iam", "core.iam_evaluator", ["_resolve_condition_key", "_role_name_from_assumed_arn"]),
        (
            "iam",
            "services.iam",
            [
                *("_trust_policy_not_principal_error", "attach_managed_policy", "_attach_role_policy", "_error"),
                *("_users", "_roles", "_policies", "_IAM_HANDLERS", "_boundary_policy_error"),
            ],
        ),
        (
            "iam",
            "services.cloudformation.provisioners",
            [
                *("_iam_role_create", "_iam_role_update", "_iam_role_delete", "_iam_policy_require_entities"),
                *("_iam_managed_policy_create", "_iam_managed_policy_update"),
            ],
        ),
        (
            "registry",
            "services.ecr",
            [
                *("_get_authorization_token", "handle_registry_request", "_v2_put_manifest", "_put_image"),
                *("_create_repository", "_put_image_tag_mutability", "_repo_shape"),
            ],
        ),
        (
            "create_on_push",
            "services.ecr",
            [
                *(
                    "handle_request",
                    "_create_repository",
                    "_set_repository_policy",
                    "_put_lifecycle_policy",
                    "_repo_arn",
                ),
                *("_repositories", "_images", "_lifecycle_policies", "_repo_policies"),
            ],
        ),
        ("create_on_push", "core.iam_evaluator", ["EvalContext", "evaluate_trust_policy"]),
        ("create_on_push", "services.cloudformation.provisioners", ["_RESOURCE_HANDLERS", "_ecr_cfn_to_api"]),
        ("lifecycle_previews", "services.ecr", ["handle_request", "_repositories", "_lifecycle_policies", "_images"]),
        (
            "log_filters",
            "services.cloudwatch_logs",
            ["_compile_filter_pattern", "_filter_log_events", "_log_groups", "_log_events_lock"],
        ),
        ("image_pulls", "services.ecr", ["_describe_images", "_v2_get_manifest", "_batch_get_image", "_images"]),
        (
            "image_listing",
            "services.ecr",
            ["handle_request", "_list_images", "_describe_images", "_find_image", "_images"],
        ),
        ("referrers", "app", ["_is_ecr_registry_path"]),
        ("referrers", "services.ecr", ["_parse_v2_path", "_ensure_repo_exists", "_images", "_registry_ok"]),
        ("repository_policies", "services.ecr", ["_set_repository_policy", "_repo_policies", "_repo_arn"]),
        ("oidc_providers", "services.iam", ["_oidc_providers", "_create_oidc_provider", "_IAM_HANDLERS", "_p", "_xml"]),
        ("oidc_providers", "services.sts", ["_web_identity_trust_denied", "_web_identity_principal", "_error"]),
        ("registry", "services.tagging", ["_RESOURCE_TAG_COLLECTORS", "_collect_ecr"]),
        (
            "../authorization",
            "core.iam_evaluator",
            [
                *("_verified_key", "resolve_credential", "resolve_principal", "ResolvedCredential"),
                *("EvalContext", "evaluate", "_resource_policy", "combine_resource_policy", "_POLICY_REQUIRED"),
            ],
        ),
        (
            "lambda_runtime",
            "services.lambda_svc",
            ["_provided_runtime_code_dir", "_provided_worker_env", "_execute_function_warm"],
        ),
        ("lambda_runtime", "core.lambda_runtime", ["_worker_class_for"]),
        ("lambda_runtime", "services.eventbridge", ["_dispatch_to_lambda"]),
        ("eventbridge", "services.eventbridge", ["_invoke_target", "_put_events"]),
        ("eventbridge", "services.sns", ["_topics"]),
        ("alarm_actions", "core.iam_evaluator", ["EvalContext", "evaluate_resource_policy"]),
        (
            "alarm_actions",
            "services.cloudwatch",
            ["_dispatch_alarm_actions", "_record_history", "_history_entries", "_is_sns_action_arn"],
        ),
        (
            "lambda_concurrency",
            "services.lambda_svc",
            ["_ACCOUNT_CONCURRENCY_CAP", "_execute_function", "_acquire_execution_slot"],
        ),
        ("../snapshots", "services.lambda_svc", ["executions_in_flight"]),
        (
            "stack_parallelism",
            "services.cloudformation.stacks",
            ["_topological_sort", "_resolve_refs", "run_reentrant", "_provision_keeping_seed"],
        ),
        ("stack_parallelism", "services.cloudformation.engine", ["_extract_deps"]),
        ("lambda_versions", "services.lambda_svc", ["_publish_version", "_functions"]),
        (
            "lambda_versions",
            "services.cloudformation.provisioners",
            ["_lambda_version_create", "_lambda_version_function", "_RESOURCE_HANDLERS"],
        ),
        ("iam_actions", "core.iam_actions", ["_lambda_action", "extract_resource_arn"]),
        (
            "instance_profiles",
            "services.cloudformation.provisioners",
            ["_iam_ip_create", "_iam_ip_update", "_iam_ip_delete", "_RESOURCE_HANDLERS"],
        ),
        ("instance_profiles", "services.iam", ["_instance_profiles"]),
        ("clock", "services.sts", ["_sessions"]),
        ("sts", "services.sts", ["handle_request", "register_session", "_evict_expired_sessions", "_error"]),
        ("sts", "services.iam", ["_roles"]),
        (
            "clock",
            "services.scheduler",
            ["_tick_schedules", "_SCHEDULE_TICK_INTERVAL", "time", "_get_schedule", "_list_schedules", "_json_resp"],
        ),
        ("cloudwatch", "services.cloudformation.provisioners", ["_cw_metric_alarm_record"]),
        (
            "cloudwatch",
            "services.cloudwatch",
            [
                "_evaluate_alarm",
                "_record_history",
                "_dispatch_alarm_actions",
                "_metrics",
                "_alarms",
                "_dims_key",
                *("_alarm_history", "_ts_iso", "_parse_ts"),
            ],
        ),
        (
            "metric_data",
            "services.cloudwatch",
            ["_get_metric_data", "_parse_ts", "_json_ok", "_cbor_ok", "_cbor_metric_data_result", "_error"],
        ),
        ("cloudwatch", "services.sqs", ["_queues"]),
        ("cloudwatch", "services.lambda_svc", ["_execute_function_dispatch", "_emit_lambda_metrics"]),
    ],
)
def test_upstream_still_has_the_names_that_a_patch_uses(patch: str, module: str, names: list[str]) -> None:
    found = vars(importlib.import_module(f"ministack.{module}"))
    assert set(names) <= set(found), f"MiniStack changed: adapt local/emulator/patches/{patch}.py"


@needs_patch("cloudformation")
@pytest.mark.parametrize("operation", ["StartLifecyclePolicyPreview", "GetLifecyclePolicyPreview"])
def test_upstream_still_has_no_previews_of_lifecycle_policies(ministack: Any, operation: str) -> None:
    headers = {"x-amz-target": f"AmazonEC2ContainerRegistry_V20150921.{operation}"}
    answer = asyncio.run(ministack.services.ecr.handle_request("POST", "/", headers, b'{"repositoryName": "a"}', {}))
    with needs_patch("lifecycle_previews"):
        assert b"InvalidAction" in answer[2]


def test_upstream_still_returns_the_name_as_ref_of_a_secret(handlers: Any) -> None:
    ref, _ = handlers["AWS::SecretsManager::Secret"]["create"]("Secret", {"Name": "token"}, "stack")
    assert ref == "token"


@needs_patch("cloudformation")
def test_upstream_still_gives_a_secret_in_a_template_an_empty_value(ministack: Any, handlers: Any) -> None:
    handlers["AWS::SecretsManager::Secret"]["create"]("Secret", {"Name": "token"}, "stack")
    status, _, body = ministack.services.secretsmanager._get_secret_value({"SecretId": "token"})
    assert status == 200
    assert json.loads(body)["SecretString"] == ""


@needs_patch("secrets_manager")
def test_upstream_still_gives_a_secret_without_a_value_a_version(ministack: Any) -> None:
    ministack.services.secretsmanager._create_secret({"Name": "token"})
    status, _, _ = ministack.services.secretsmanager._get_secret_value({"SecretId": "token"})
    assert status == 200


@pytest.mark.parametrize("second", ["first", "another"])
@needs_patch("secrets_manager")
def test_upstream_still_overwrites_an_existing_version(ministack: Any, second: str) -> None:
    service = ministack.services.secretsmanager
    service._create_secret({"Name": "token", "SecretString": "before"})
    repeated = {"SecretId": "token", "ClientRequestToken": "1" * 32}
    statuses = [service._put_secret_value({**repeated, "SecretString": text})[0] for text in ("first", second)]
    assert statuses == [200, 200]
    status, _, _ = service._get_secret_value({"SecretId": "token", "VersionStage": "AWSPREVIOUS"})
    assert status == 400, "the second write kept AWSPREVIOUS"


@needs_patch("secrets_manager")
def test_upstream_still_removes_versions_without_labels_and_has_no_quota(ministack: Any) -> None:
    service = ministack.services.secretsmanager
    service._create_secret({"Name": "token"})
    write = {"SecretId": "token", "SecretString": "same"}
    statuses = {service._put_secret_value({**write, "ClientRequestToken": f"{n:032}"})[0] for n in range(200)}
    assert (statuses, len(service._secrets["token"]["Versions"])) == ({200}, 2)


@needs_patch("secrets_manager")
def test_upstream_still_returns_the_time_of_the_last_read_of_a_secret(ministack: Any) -> None:
    service = ministack.services.secretsmanager
    service._create_secret({"Name": "token", "SecretString": "any"})
    service._secrets["token"]["LastAccessedDate"] = 1
    assert json.loads(service._describe_secret({"SecretId": "token"})[2])["LastAccessedDate"] == 1
    service._get_secret_value({"SecretId": "token", "VersionId": "missing"})
    assert service._secrets["token"]["LastAccessedDate"] > 1


@pytest.mark.parametrize("operation", ["_put_resource_policy", "_delete_resource_policy"])
@needs_patch("secrets_manager")
def test_upstream_still_changes_the_policy_of_a_deleted_secret(ministack: Any, operation: str) -> None:
    service = ministack.services.secretsmanager
    service._create_secret({"Name": "token"})
    service._delete_secret({"SecretId": "token"})
    assert getattr(service, operation)({"SecretId": "token", "ResourcePolicy": "{}"})[0] == 200


@needs_patch("secrets_manager")
def test_upstream_still_says_that_a_deleted_secret_exists(ministack: Any) -> None:
    service = ministack.services.secretsmanager
    service._create_secret({"Name": "token"})
    service._delete_secret({"SecretId": "token"})
    assert json.loads(service._create_secret({"Name": "token"})[2])["__type"] == "ResourceExistsException"


@needs_patch("secret_keys")
def test_upstream_still_reads_a_secret_with_a_disabled_key(ministack: Any) -> None:
    kms, service = ministack.services.kms, ministack.services.secretsmanager
    key = json.loads(kms._create_key({})[2])["KeyMetadata"]["KeyId"]
    service._create_secret({"Name": "token", "KmsKeyId": key, "SecretString": "login"})
    kms._disable_key({"KeyId": key})
    assert service._get_secret_value({"SecretId": "token"})[0] == 200


@needs_patch("secret_keys")
def test_upstream_still_uses_a_key_that_its_policy_forbids_to_use(ministack: Any) -> None:
    kms, service = ministack.services.kms, ministack.services.secretsmanager
    forbidden = json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}})
    key = json.loads(kms._create_key({"Policy": forbidden})[2])["KeyMetadata"]["KeyId"]
    iam, evaluator = ministack.services.iam, ministack.core.iam_evaluator
    iam._create_user({"UserName": "reader"})
    access_key = iam._create_access_key({"UserName": "reader"})[2].decode().split("AccessKeyId>")[1].removesuffix("</")
    caller = evaluator._verified_key.set(access_key)
    try:
        statuses = [
            service._create_secret({"Name": "token", "KmsKeyId": key, "SecretString": "login"})[0],
            service._get_secret_value({"SecretId": "token"})[0],
            service._put_secret_value({"SecretId": "token", "SecretString": "another"})[0],
        ]
    finally:
        evaluator._verified_key.reset(caller)
    assert statuses == [200, 200, 200]


@needs_patch("cloudformation")
def test_upstream_still_lacks_secret_policies_in_templates(handlers: Any) -> None:
    assert "AWS::SecretsManager::ResourcePolicy" not in handlers


@needs_patch("associations")
def test_upstream_still_lacks_associations_in_templates(handlers: Any) -> None:
    assert "AWS::SSM::Association" not in handlers


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("SecretsManager::Secret", {"Name": "taken"}),
        ("ECR::Repository", {"RepositoryName": "taken"}),
        ("IAM::Role", {"RoleName": "taken"}),
        ("IAM::ManagedPolicy", {"ManagedPolicyName": "taken"}),
    ],
)
@needs_patch("cloudformation")
def test_upstream_still_creates_a_resource_that_exists(handlers: Any, kind: str, properties: dict[str, str]) -> None:
    create = handlers[f"AWS::{kind}"]["create"]
    create("First", properties, "one-stack")
    create("Second", properties, "another-stack")


@needs_patch("cloudformation")
def test_upstream_still_cannot_import_a_repository(handlers: Any) -> None:
    assert "import" not in handlers["AWS::ECR::Repository"]


@needs_patch("cloudformation")
def test_upstream_still_keeps_foreign_tags_of_a_repository_that_is_updated(ministack: Any, handlers: Any) -> None:
    handlers["AWS::ECR::Repository"]["create"]("Images", {"RepositoryName": "images"}, "stack")
    repository = ministack.services.ecr._repositories["images"]
    repository["tags"] = [{"Key": "foreign", "Value": "yes"}]
    update = {"RepositoryName": "images", "Tags": [{"Key": "team", "Value": "analytics"}]}
    handlers["AWS::ECR::Repository"]["update"]("images", {"RepositoryName": "images"}, update, "stack")
    assert {"Key": "foreign", "Value": "yes"} in repository["tags"]


@needs_patch("cloudformation")
def test_upstream_still_drops_the_exclusion_filters_in_a_template(ministack: Any, handlers: Any) -> None:
    properties = {
        "RepositoryName": "images",
        "ImageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "ImageTagMutabilityExclusionFilters": LATEST_EXCLUDED_IN_A_TEMPLATE,
    }
    handlers["AWS::ECR::Repository"]["create"]("Images", properties, "stack")
    assert "imageTagMutabilityExclusionFilters" not in ministack.services.ecr._repositories["images"]


@needs_patch("repository_policies")
def test_upstream_still_accepts_an_invalid_repository_policy(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository({"repositoryName": "images"})
    assert ecr._set_repository_policy({"repositoryName": "images", "policyText": "no policy"})[0] == 200


@needs_patch("registry")
def test_upstream_still_drops_the_exclusion_filters_in_a_request(ministack: Any) -> None:
    _, _, body = ministack.services.ecr._create_repository(
        {"repositoryName": "images", "imageTagMutabilityExclusionFilters": LATEST_EXCLUDED}
    )
    assert "imageTagMutabilityExclusionFilters" not in json.loads(body)["repository"]


IMMUTABLE_EXCEPT_LATEST = {
    "repositoryName": "images",
    "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
    "imageTagMutabilityExclusionFilters": LATEST_EXCLUDED,
}


@needs_patch("registry")
def test_upstream_still_moves_an_immutable_tag_on_a_push_if_there_are_exclusions(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository(IMMUTABLE_EXCEPT_LATEST)
    pushed = [ecr._v2_put_manifest("images", "v1", {}, content)[0] for content in (b"first", b"second")]
    assert pushed == [201, 201]


@needs_patch("registry")
def test_upstream_still_moves_an_immutable_tag_on_put_image_if_there_are_exclusions(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository(IMMUTABLE_EXCEPT_LATEST)
    image = {"repositoryName": "images", "imageTag": "v1"}
    put = [ecr._put_image({**image, "imageManifest": content})[0] for content in ("first", "second")]
    assert put == [200, 200]


@needs_patch("create_on_push")
def test_upstream_still_lacks_repository_creation_templates(ministack: Any, handlers: Any) -> None:
    assert "AWS::ECR::RepositoryCreationTemplate" not in handlers
    request = {"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.CreateRepositoryCreationTemplate"}
    answer = ministack.services.ecr.handle_request("POST", "/", request, b'{"prefix": "team"}', {})
    assert json.loads(asyncio.run(answer)[2])["__type"] == "InvalidAction"


@needs_patch("image_listing")
def test_upstream_still_lists_only_one_tag_of_an_image(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository({"repositoryName": "images"})
    for tag in ("1", "7"):
        ecr._put_image({"repositoryName": "images", "imageTag": tag, "imageManifest": "same"})
    listed = json.loads(ecr._list_images({"repositoryName": "images"})[2])["imageIds"]
    assert [image_id["imageTag"] for image_id in listed] == ["7"]


@needs_patch("image_listing")
def test_upstream_still_leaves_out_an_image_that_does_not_exist(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository({"repositoryName": "images"})
    assert ecr._describe_images({"repositoryName": "images", "imageIds": [{"imageTag": "9"}]})[0] == 200


@needs_patch("image_pulls")
def test_upstream_still_records_no_pulls(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository({"repositoryName": "images"})
    ecr._put_image({"repositoryName": "images", "imageTag": "1", "imageManifest": "any"})
    assert ecr._v2_get_manifest("images", "1")[0] == 200
    ecr._batch_get_image({"repositoryName": "images", "imageIds": [{"imageTag": "1"}]})
    assert b"lastRecordedPullTime" not in ecr._describe_images({"repositoryName": "images"})[2]


@needs_patch("image_listing")
def test_upstream_still_returns_an_empty_list_of_tags_of_an_untagged_image(ministack: Any) -> None:
    ecr = ministack.services.ecr
    ecr._create_repository({"repositoryName": "images"})
    ecr._put_image({"repositoryName": "images", "imageManifest": "any"})
    assert json.loads(ecr._describe_images({"repositoryName": "images"})[2])["imageDetails"][0]["imageTags"] == []


@needs_patch("image_listing")
def test_upstream_still_has_no_findings_of_image_scans(ministack: Any) -> None:
    headers = {"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.DescribeImageScanFindings"}
    answer = asyncio.run(ministack.services.ecr.handle_request("POST", "/", headers, b"{}", {}))
    assert json.loads(answer[2])["__type"] == "InvalidAction"


@needs_patch("registry")
def test_upstream_still_returns_a_constant_password(ministack: Any) -> None:
    answers = [json.loads(ministack.services.ecr._get_authorization_token({})[2]) for _ in range(2)]
    one, other = (answer["authorizationData"][0]["authorizationToken"] for answer in answers)
    assert one == other


@needs_patch("registry")
def test_upstream_still_accepts_an_expired_password(ministack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ecr = ministack.services.ecr
    (login,) = json.loads(ecr._get_authorization_token({})[2])["authorizationData"]
    monkeypatch.setattr(time, "time", lambda: login["expiresAt"] + 1)
    host = login["proxyEndpoint"].removeprefix("https://")
    headers = {"host": host, "authorization": f"Basic {login['authorizationToken']}"}
    ping = ecr.handle_registry_request("GET", "/v2/", headers, b"", {})
    assert asyncio.run(ping)[0] == 200


@needs_patch("referrers")
def test_upstream_still_lacks_the_referrers_api(ministack: Any) -> None:
    assert ministack.services.ecr._parse_v2_path(f"/v2/images/referrers/sha256:{'0' * 64}") is None


@needs_patch("registry")
def test_upstream_still_lets_anyone_push(ministack: Any) -> None:
    ministack.services.ecr._create_repository({"repositoryName": "images"})
    push = ministack.services.ecr.handle_registry_request("PUT", "/v2/images/manifests/v1", {}, b"manifest", {})
    assert asyncio.run(push)[0] == 201


@needs_patch("registry")
def test_upstream_still_ignores_the_tags_of_repositories(ministack: Any) -> None:
    tagged = {"repositoryName": "images", "tags": [{"Key": "team", "Value": "analytics"}]}
    repository = json.loads(ministack.services.ecr._create_repository(tagged)[2])["repository"]
    assert ministack.services.tagging.resource_tags(repository["repositoryArn"]) is None


@needs_patch("iam")
def test_upstream_still_returns_the_session_arn_as_principal_arn(ministack: Any) -> None:
    evaluator = ministack.core.iam_evaluator
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/session"
    context = evaluator.EvalContext(session, "AssumedRole", ACCOUNT, "ecr:PutImage", "*", REGION)
    assert evaluator._resolve_condition_key("aws:PrincipalArn", context) == session


@needs_patch("iam")
def test_upstream_still_accepts_a_principal_that_does_not_exist(ministack: Any) -> None:
    nobody = {"AWS": f"arn:aws:iam::{ministack.core.responses.get_account_id()}:user/nobody"}
    document = json.dumps({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": nobody}})
    status, _, _ = ministack.services.iam._create_role({"RoleName": "trusting", "AssumeRolePolicyDocument": document})
    assert status == 200


@needs_patch("oidc_providers")
def test_upstream_still_accepts_an_id_token_without_a_provider(ministack: Any) -> None:
    account = ministack.core.responses.get_account_id()
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::{account}:oidc-provider/{GITHUB}"},
    }
    request = {"RoleName": "trusting", "AssumeRolePolicyDocument": json.dumps({"Statement": trust})}
    assert ministack.services.iam._create_role(request)[0] == 200

    role, token = f"arn:aws:iam::{account}:role/trusting", {"WebIdentityToken": [id_token("anything")]}
    assert ministack.services.sts._web_identity_trust_denied(role, token, False) is None


@needs_patch("oidc_providers")
def test_upstream_still_cannot_add_a_client_id(ministack: Any) -> None:
    assert "AddClientIDToOpenIDConnectProvider" not in ministack.services.iam._IAM_HANDLERS


@needs_patch("oidc_providers")
def test_upstream_still_returns_the_url_of_a_provider_with_its_scheme(ministack: Any) -> None:
    iam = ministack.services.iam
    iam._create_oidc_provider({"Url": f"https://{GITHUB}"})
    [provider] = iam._oidc_providers.values()
    assert provider["Url"] == f"https://{GITHUB}"


@needs_patch("iam")
def test_upstream_still_attaches_an_eleventh_managed_policy(ministack: Any) -> None:
    iam = ministack.services.iam
    iam._create_role({"RoleName": "full"})
    attached = [iam._attach_role_policy({"RoleName": "full", "PolicyArn": f"arn:{n}"})[0] for n in range(11)]
    assert attached == [200] * 11


@needs_patch("iam")
def test_upstream_still_attaches_a_managed_policy_of_a_template_to_no_role(handlers: Any) -> None:
    handlers["AWS::IAM::ManagedPolicy"]["create"]("Policy", {"Roles": ["absent"]}, "stack")


@needs_patch("iam")
def test_upstream_still_deletes_a_role_with_a_policy_that_was_attached_by_hand(ministack: Any, handlers: Any) -> None:
    handlers["AWS::IAM::Role"]["create"]("Role", {"RoleName": "by-hand"}, "stack")
    ministack.services.iam._attach_role_policy({"RoleName": "by-hand", "PolicyArn": "arn:any"})
    handlers["AWS::IAM::Role"]["delete"]("by-hand", {"RoleName": "by-hand"})
    assert "by-hand" not in ministack.services.iam._roles


@needs_patch("instance_profiles")
def test_upstream_still_returns_the_arn_as_ref_of_an_instance_profile(handlers: Any) -> None:
    ref, attributes = handlers["AWS::IAM::InstanceProfile"]["create"]("Profile", {}, "stack")
    assert ref == attributes["Arn"]


@needs_patch("stack_pace")
def test_upstream_still_changes_most_resources_without_serving_a_request() -> None:
    from ministack.services.cloudformation.stacks import _runs_on_worker_thread

    for kind in ("AWS::SecretsManager::Secret", "AWS::IAM::ManagedPolicy", "AWS::SecretsManager::ResourcePolicy"):
        assert not _runs_on_worker_thread(kind)


@needs_patch("iam")
def test_upstream_still_ignores_the_boundary_of_a_role_in_a_template(ministack: Any, handlers: Any) -> None:
    properties = {"RoleName": "bounded", "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    handlers["AWS::IAM::Role"]["create"]("Role", properties, "stack")
    assert not ministack.services.iam._roles["bounded"].get("PermissionsBoundary")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@needs_patch("iam_actions")
def test_upstream_still_asks_for_the_wrong_permission_on_concurrency(ministack: Any, method: str) -> None:
    path = "/2019-09-30/functions/f/concurrency"
    assert ministack.core.iam_actions._lambda_action(method, path) == "PutFunctionConcurrency"


@needs_patch("iam_actions")
def test_upstream_still_asks_for_the_wrong_permission_on_retries_of_a_function(ministack: Any) -> None:
    path = "/2019-09-25/functions/f/event-invoke-config"
    assert ministack.core.iam_actions._lambda_action("GET", path) == "GetFunction"


@needs_patch("iam_actions")
def test_upstream_still_asks_for_no_permission_on_the_limits_of_lambda(ministack: Any) -> None:
    path = "/2016-08-19/account-settings"
    assert ministack.core.iam_actions._lambda_action("GET", path) is None


@pytest.mark.parametrize("request_", [{"repositoryNames": ["images"]}, {"resourceArn": "arn:images"}, {}])
@needs_patch("iam_actions")
def test_upstream_still_checks_requests_about_a_repository_on_all_resources(ministack: Any, request_: Any) -> None:
    body = json.dumps(request_).encode()
    arn = ministack.core.iam_actions.extract_resource_arn("ecr", "POST", "/", {}, body, {}, REGION, ACCOUNT)
    assert arn == "*"


@needs_patch("sts")
def test_upstream_still_returns_a_session_that_is_longer_than_the_role_allows(ministack: Any) -> None:
    role = f"arn:aws:iam::{ministack.core.responses.get_account_id()}:role/short"
    ministack.services.iam._create_role({"RoleName": "short", "MaxSessionDuration": "3600"})
    query = {"Action": "AssumeRole", "RoleArn": role, "RoleSessionName": "session", "DurationSeconds": "43200"}
    answer = asyncio.run(ministack.services.sts.handle_request("POST", "/", {}, b"", query))
    assert answer[0] == 200


@needs_patch("sts")
def test_upstream_still_forgets_expired_sessions(ministack: Any) -> None:
    sts = ministack.services.sts
    sts.register_session("expired", {"Expiration": time.time() - 1})
    sts.register_session("new", {"Expiration": time.time() + 1})
    assert set(sts._sessions) == {"new"}


@needs_patch("clock")
def test_upstream_still_lets_a_session_expire_by_the_computers_clock(ministack: Any) -> None:
    assert ministack.services.sts.time is ministack.core.iam_evaluator.time is time


FUNCTION = {
    "FunctionName": "f",
    "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
    "Runtime": "python3.13",
    "Handler": "index.handle",
}


def log_of(ministack: Any, function: dict[str, Any]) -> str:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("index.py", LINES)
    worker = ministack.core.lambda_runtime._worker_class_for(function)("f", function, zipped.getvalue())
    try:
        ran = worker.invoke({}, "request")
    finally:
        worker.kill()
    assert ran["status"] == "ok"
    log: str = ran["log"]
    return log


@needs_patch("lambda_runtime")
def test_upstream_still_loses_the_info_lines_of_a_function(ministack: Any) -> None:
    assert "for your information" not in log_of(ministack, FUNCTION)


@needs_patch("lambda_runtime")
def test_upstream_still_ignores_the_log_format_of_a_function(ministack: Any) -> None:
    log = log_of(ministack, {**FUNCTION, "LoggingConfig": {"LogFormat": "JSON"}})
    assert [line for line in log.splitlines() if line.startswith("{")] == []


@needs_patch("lambda_runtime")
def test_upstream_still_passes_its_own_environment_to_a_function(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "secret")
    assert "OF_THE_SERVER" in ministack.services.lambda_svc._provided_worker_env(FUNCTION, "/var/task", 1)


@needs_patch("lambda_runtime")
def test_upstream_still_runs_a_scheduled_function_without_retries(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lambda_svc = ministack.services.lambda_svc
    started: list[str] = []
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref", lambda _: ({"config": FUNCTION}, FUNCTION, "f"))
    monkeypatch.setattr(lambda_svc, "_execute_function_with_config_scope", lambda *_: started.append("once"))
    monkeypatch.setattr(lambda_svc, "invoke_async_with_retry", lambda *_: started.append("with retries"))
    ministack.services.eventbridge._dispatch_to_lambda(FUNCTION["FunctionArn"], "{}")
    eventually(lambda: started)
    assert started == ["once"]


@needs_patch("lambda_concurrency")
def test_upstream_still_drops_a_throttled_event_of_a_custom_resource(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lambda_svc = ministack.services.lambda_svc
    slots = iter([(None, "account")])  # A second attempt would raise StopIteration.
    monkeypatch.setattr(lambda_svc, "_acquire_execution_slot", lambda *_: next(slots))
    assert lambda_svc._execute_function({"config": FUNCTION}, {"ResponseURL": "https://localhost"})["throttle"]


@needs_patch("stack_parallelism")
def test_upstream_still_creates_one_custom_resource_after_another(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ministack.services import cloudformation
    from ministack.services.cloudformation import stacks

    log: list[str] = []

    async def create(_: Any, kind: str, logical_id: str, *rest: Any) -> Any:
        log.append(f"start {logical_id}")
        await asyncio.sleep(0.01)
        log.append(f"end {logical_id}")
        return (logical_id, {}), ""

    monkeypatch.setattr(stacks, "run_reentrant", create)
    stack_id = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/parallel/1"
    cloudformation._stacks["parallel"] = {"StackId": stack_id, "StackStatus": "CREATE_IN_PROGRESS"}
    template = {"Resources": {name: {"Type": "Custom::Resource", "Properties": {}} for name in ("One", "Other")}}
    asyncio.run(stacks._deploy_stack_async("parallel", stack_id, template, {}, False, []))
    cloudformation.reset()
    assert log == ["start One", "end One", "start Other", "end Other"]


@needs_patch("lambda_versions")
def test_upstream_still_publishes_a_version_after_an_update_of_the_tags(ministack: Any, handlers: Any) -> None:
    properties = {"FunctionName": "f", "Runtime": "python3.13", "Handler": "index.handle"}
    function = handlers["AWS::Lambda::Function"]
    function["create"]("Function", properties, "stack")
    version = handlers["AWS::Lambda::Version"]["create"]
    version("First", {"FunctionName": "f"}, "stack")
    function["update"](
        "f", properties, {**properties, "Tags": [{"Key": "team", "Value": "analytics"}]}, "stack", "Function"
    )
    version("Second", {"FunctionName": "f"}, "stack")
    assert set(ministack.services.lambda_svc._functions["f"]["versions"]) == {"1", "2"}
    ministack.services.lambda_svc._functions.clear()


@needs_patch("clock")
def test_upstream_still_uses_the_computers_clock(ministack: Any) -> None:
    scheduler = ministack.services.scheduler
    assert (scheduler.time, scheduler._SCHEDULE_TICK_INTERVAL) == (time, 10)


@needs_patch("clock")
def test_upstream_still_starts_a_rate_schedule_after_its_first_interval(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler, started = ministack.services.scheduler, []
    monkeypatch.setattr(ministack.services.eventbridge, "_invoke_target", lambda *_: started.append("once"))
    target = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:none", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}
    flexible = {"Mode": "OFF"}
    scheduler._create_schedule(
        "hourly", {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": flexible, "Target": target}
    )
    scheduler._tick_schedules()
    scheduler._schedule_last_fired.clear()
    assert started == []


@needs_patch("clock")
def test_upstream_still_remembers_the_runs_of_a_deleted_schedule(ministack: Any) -> None:
    scheduler = ministack.services.scheduler
    target = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:none", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}
    scheduler._create_schedule(
        "nightly",
        {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target},
    )
    scheduler._tick_schedules()
    scheduler._delete_schedule("nightly", {})
    scheduler._tick_schedules()
    remembered = [key for _, _, key in scheduler._schedule_last_fired]
    scheduler._schedule_last_fired.clear()
    assert remembered == ["default/nightly"]


AN_ALARM = {
    "AlarmName": "heartbeat",
    "Namespace": "tests",
    "MetricName": "Beats",
    "Dimensions": [{"Name": "Heart", "Value": "mine"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "LessThanThreshold",
    "TreatMissingData": "breaching",
}


def state_of(ministack: Any, alarm: dict[str, Any]) -> str:
    ministack.services.cloudwatch._put_metric_alarm({}, alarm, True)
    state: str = ministack.services.cloudwatch._alarms["heartbeat"]["StateValue"]
    return state


@needs_patch("cloudwatch")
def test_upstream_still_refuses_metric_math_in_a_template(handlers: Any) -> None:
    one_metric = {**AN_ALARM, "Metrics": [{"Id": "beats", "Expression": "FILL(raw, 0)"}]}
    with pytest.raises(ValueError, match="metric math"):
        handlers["AWS::CloudWatch::Alarm"]["create"]("Alarm", one_metric, "stack")


@needs_patch("alarm_actions")
def test_upstream_still_publishes_the_state_of_an_alarm_without_a_permission(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch, sns = ministack.services.cloudwatch, ministack.services.sns
    sns._create_topic({"Name": "topic", "Attributes.entry.1.key": "Policy", "Attributes.entry.1.value": "{}"})
    [topic] = sns._topics
    published: list[str] = []
    monkeypatch.setattr(sns, "_fanout", lambda arn, *_: published.append(arn))
    cloudwatch._put_metric_alarm({}, {**AN_ALARM, "AlarmActions": [topic]}, True)
    cloudwatch._set_alarm_state({}, {"AlarmName": "heartbeat", "StateValue": "ALARM"}, True)
    history = cloudwatch._history_entries()
    assert published == [topic]
    assert [each["HistoryItemType"] for each in history] == ["StateUpdate", "StateUpdate"]
    assert "StateTransitionedTimestamp" not in cloudwatch._alarms["heartbeat"]


@needs_patch("cloudwatch")
def test_upstream_still_does_not_evaluate_an_alarm_without_data(ministack: Any) -> None:
    assert state_of(ministack, AN_ALARM) == "INSUFFICIENT_DATA"


@needs_patch("metric_data")
def test_upstream_still_does_not_evaluate_metric_math_in_a_request(ministack: Any) -> None:
    request = {"MetricDataQueries": [{"Id": "one", "Expression": "1 + 1"}], "StartTime": 0, "EndTime": 60}
    assert b"not implemented" in ministack.services.cloudwatch._get_metric_data({}, request, False, True)[2]


@needs_patch("metric_data")
def test_upstream_still_returns_the_oldest_data_point_first(ministack: Any) -> None:
    cloudwatch = ministack.services.cloudwatch
    for at in (100, 200):
        point: dict[str, Any] = {"Timestamp": at, "Value": 1.0, "Unit": "Count", "Dimensions": {}}
        cloudwatch._metric_bucket(("tests", "Beats", "")).append(point)
    metric = {"Metric": {"Namespace": "tests", "MetricName": "Beats"}, "Period": 60, "Stat": "Sum"}
    request = {"MetricDataQueries": [{"Id": "beats", "MetricStat": metric}], "StartTime": 0, "EndTime": 300}
    answer = cloudwatch._get_metric_data({}, request, False, True)
    assert json.loads(answer[2])["MetricDataResults"][0]["Timestamps"] == [60, 180]


@needs_patch("cloudwatch")
def test_upstream_still_evaluates_an_alarm_with_metrics_of_other_dimensions(ministack: Any) -> None:
    ministack.services.cloudwatch.record_metric("tests", "Beats", 1, dimensions={"Heart": "another"})
    assert state_of(ministack, AN_ALARM) == "OK"


@needs_patch("cloudwatch")
def test_upstream_still_counts_a_throttled_run(ministack: Any) -> None:
    ministack.services.lambda_svc._emit_lambda_metrics("f", duration_ms=0.0, error=False, throttle=True)
    counted = {name for _, name, _ in ministack.services.cloudwatch._metrics}
    assert "Invocations" in counted


@needs_patch("cloudwatch")
def test_upstream_still_does_not_count_runs_where_all_runs_pass(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lambda_svc = ministack.services.lambda_svc
    monkeypatch.setattr(lambda_svc, "_execute_function_warm", lambda *_: {"body": None})
    lambda_svc._execute_function({"config": FUNCTION}, {})
    assert not [key for key in ministack.services.cloudwatch._metrics if key[0] == "AWS/Lambda"]


@needs_patch("cloudwatch")
def test_upstream_still_does_not_count_messages(ministack: Any) -> None:
    created = ministack.services.sqs._act_create_queue({"QueueName": "queue"}, "")
    ministack.services.sqs._act_send_message({"QueueUrl": created["QueueUrl"], "MessageBody": "hello"}, "")
    assert not [key for key in ministack.services.cloudwatch._metrics if key[0] == "AWS/SQS"]


@needs_patch("eventbridge")
def test_upstream_still_lets_a_rule_publish_to_a_topic_without_a_permission(
    ministack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sns = ministack.services.sns
    monkeypatch.setattr("ministack.app.AUTH", True)
    sns._create_topic({"Name": "topic", "Attributes.entry.1.key": "Policy", "Attributes.entry.1.value": "{}"})
    [topic] = sns._topics
    published: list[str] = []
    monkeypatch.setattr(sns, "publish_internal", lambda arn, *_: published.append(arn))
    rule = {"Name": "rule", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/rule"}
    event = {"EventId": "1", "Source": "tests", "DetailType": "Test", "Detail": "{}", "Time": 0, "Resources": []}
    ministack.services.eventbridge._invoke_target({"Arn": topic, "Id": "Topic"}, event, rule)
    assert published == [topic]


@needs_patch("drift")
def test_upstream_still_looks_for_a_secret_by_its_name_in_drift_detection(ministack: Any) -> None:
    from ministack.services.cloudformation import drift

    created = ministack.services.secretsmanager._create_secret({"Name": "token", "KmsKeyId": "key"})
    read, compared = drift._DRIFT_READERS["AWS::SecretsManager::Secret"]
    assert read(json.loads(created[2])["ARN"], {}) is None
    assert "KmsKeyId" not in compared


@needs_patch("subscriptions")
def test_upstream_still_confirms_an_email_subscription_at_once(ministack: Any, handlers: Any) -> None:
    sns = ministack.services.sns
    sns._create_topic({"Name": "topic"})
    [arn] = sns._topics
    properties = {"TopicArn": arn, "Protocol": "email", "Endpoint": "template@example.com"}
    handlers["AWS::SNS::Subscription"]["create"]("Subscription", properties, "stack")
    sns._subscribe({**properties, "Endpoint": "request@example.com"})
    assert [each["confirmed"] for each in sns._topics[arn]["subscriptions"]] == [True, True]


@needs_patch("log_filters")
def test_upstream_still_lets_a_json_pattern_match_every_event() -> None:
    from ministack.services import cloudwatch_logs

    assert cloudwatch_logs._compile_filter_pattern('{ $.level = "ERROR" }')('{"level": "INFO"}')


@needs_patch("stack_conditions")
def test_upstream_still_does_not_evaluate_join_in_a_condition() -> None:
    from ministack.services.cloudformation import engine

    is_empty = {"Fn::Equals": ["", {"Fn::Join": ["", {"Ref": "Names"}]}]}
    evaluated = engine._evaluate_conditions({"Conditions": {"IsEmpty": is_empty}}, {"Names": {"Value": ""}})
    assert evaluated == {"IsEmpty": False}


@needs_patch("stack_resources")
def test_upstream_still_cannot_find_the_stack_of_a_resource() -> None:
    from ministack.services.cloudformation import handlers

    status, _, body = handlers._ACTION_HANDLERS["DescribeStackResources"]({"PhysicalResourceId": ["images"]})
    assert status == 400
    assert b"Stack [] does not exist" in (body if isinstance(body, bytes) else body.encode())


@needs_patch("stack_role")
def test_upstream_still_accepts_a_role_that_does_not_exist() -> None:
    from ministack.services.cloudformation import _stacks, handlers

    async def create() -> Any:
        topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
        role = "arn:aws:iam::123456789012:role/absent"
        request = {"StackName": ["absent"], "TemplateBody": [json.dumps(topic)], "RoleARN": [role]}
        return handlers._ACTION_HANDLERS["CreateStack"](request)

    try:
        assert asyncio.run(create())[0] == 200
    finally:
        _stacks.clear()


@needs_patch("stack_role")
def test_upstream_still_does_not_show_the_role_of_a_stack() -> None:
    from ministack.services.cloudformation import _stacks, handlers

    async def create() -> None:
        topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
        role = "arn:aws:iam::123456789012:role/deployer"
        handlers._ACTION_HANDLERS["CreateStack"](
            {"StackName": ["with-role"], "TemplateBody": [json.dumps(topic)], "RoleARN": [role]}
        )

    try:
        asyncio.run(create())
        assert b"RoleARN" not in handlers._ACTION_HANDLERS["DescribeStacks"]({"StackName": ["with-role"]})[2]
    finally:
        _stacks.clear()


@needs_patch("stack_rollback")
def test_upstream_still_cannot_continue_a_rollback_with_an_empty_list() -> None:
    from ministack.services.cloudformation import _stacks, handlers

    stack_id = "arn:aws:cloudformation:us-east-1:123456789012:stack/failed/1"
    _stacks["failed"] = {"StackName": "failed", "StackId": stack_id, "StackStatus": "UPDATE_ROLLBACK_FAILED"}
    try:
        answer = handlers._ACTION_HANDLERS["ContinueUpdateRollback"]({"StackName": ["failed"], "ResourcesToSkip": [""]})
        assert "cannot be skipped" in str(answer[2])
    finally:
        _stacks.clear()
