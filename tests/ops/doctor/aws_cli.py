"""Run the commands of the AWS CLI that `doctor` prints, with boto3."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

from botocore import xform_name

from local.embedded_aws import EmbeddedAws


def commands(fix: str) -> list[str]:
    """Return the commands of the AWS CLI in a fix, without the words around them."""
    found = [part for line in fix.splitlines() for part in re.split(r" && |, then |: (?=aws )", line)]
    return [part for part in found if part.startswith("aws ")]


def run(aws: EmbeddedAws, command: str, folder: Path) -> None:
    """Run one command.

    Args:
        aws: The emulator.
        command: The command, such as `aws iam get-role --role-name worker`.
        folder: The folder that contains the files of the command.
    """
    _, service, name, *words = shlex.split(command)
    client = aws.client(service)
    operation = client.meta.service_model.operation_model(
        next(each for each in client.meta.service_model.operation_names if xform_name(each, "-") == name)
    )
    # The CLI has another name for this parameter, because --endpoint-url is an option of every command.
    words = ["--endpoint" if word == "--notification-endpoint" else word for word in words]
    members = {xform_name(member, "-"): (member, shape) for member, shape in operation.input_shape.members.items()}
    request: dict[str, Any] = {}
    while words:
        option = words.pop(0).removeprefix("--")
        if option == "cli-input-json":
            request |= json.loads(_value(words.pop(0), folder))
            continue
        member, shape = members[option]
        request[member] = shape.type_name == "boolean" or _parse(shape.type_name, _value(words.pop(0), folder))
    getattr(client, xform_name(operation.name))(**request)


def _value(text: str, folder: Path) -> str:
    return (folder / text.removeprefix("file://")).read_text() if text.startswith("file://") else text


def _parse(kind: str, text: str) -> Any:
    if kind == "list":
        return [dict([text.split("=", 1)])] if "=" in text else [text]
    return json.loads(text) if kind in ("map", "structure") else text
