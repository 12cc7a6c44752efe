"""A stand-in for the AWS CLI, so that tests can run the commands of the documentation: `python -m tests.local.aws_cli`.

The stand-in calls boto3 with the same parameters. It supports what the documented commands use: strings, lists, JSON,
`Key=Value`, `file://`, flags, `wait`, `ecr get-login-password`, `--profile`, `--region`, `--query` and `--output`.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore import xform_name
from botocore.exceptions import ClientError


def main() -> None:
    service, operation, *words = sys.argv[1:]
    if "--profile" in words:
        place = words.index("--profile")
        _, profile = words[place : place + 2]
        words = words[:place] + words[place + 2 :]
        boto3.setup_default_session(profile_name=profile)
    region = None
    if "--region" in words:
        place = words.index("--region")
        _, region = words[place : place + 2]
        words = words[:place] + words[place + 2 :]
    client = boto3.client(service, region_name=region)
    if operation == "get-login-password":
        [data] = client.get_authorization_token()["authorizationData"]
        print(base64.b64decode(data["authorizationToken"]).decode().removeprefix("AWS:"))
        return
    if operation == "wait":
        [waiter, _, stack] = words
        client.get_waiter(waiter.replace("-", "_")).wait(StackName=stack, WaiterConfig={"Delay": 1})
        return
    options = _options(words)
    query, output = (options.pop(name, [None])[0] for name in ("query", "output"))
    method = operation.replace("-", "_")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    request = {}
    for name, member in shape.members.items():
        option = xform_name(name[0].upper() + name[1:], "-")
        if option in options:
            request[name] = _value(member, options.pop(option))
    if options:
        sys.exit(f"Unknown options: {', '.join(options)}")
    try:
        answer = getattr(client, method)(**request)
    except ClientError as error:
        sys.exit(str(error))
    answer.pop("ResponseMetadata")
    answer = json.loads(json.dumps(answer, default=str))  # The AWS CLI also turns times into text before the query.
    found = jmespath.search(query, answer) if query else answer
    if output == "text":
        print(_text(found))
    elif found:
        print(json.dumps(found, indent=4))


def _options(words: list[str]) -> dict[str, list[str]]:
    """Return the values of each option."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            values = found.setdefault(word.removeprefix("--"), [])
        else:
            values.append(word)
    return found


def _value(shape: Any, values: list[str]) -> Any:
    if shape.type_name == "boolean":
        return True
    texts = [Path(value[7:]).read_text() if value.startswith("file://") else value for value in values]
    if shape.type_name == "list" and shape.member.type_name == "structure":
        return [dict(pair.split("=", 1) for pair in text.split(",")) for text in texts]
    if shape.type_name == "list":
        return texts
    [text] = texts
    return json.loads(text) if shape.type_name == "structure" else text


def _text(found: Any) -> str:
    """Return a result as `--output text` prints it: one line for each list of values, separated by tabs."""
    if not isinstance(found, list):
        return "None" if found is None else str(found)
    if any(isinstance(each, list) for each in found):
        return "\n".join(_text(each) for each in found)
    return "\t".join(_text(each) for each in found)


if __name__ == "__main__":
    main()
