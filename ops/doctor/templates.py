"""The deployed CloudFormation templates, with the values of their intrinsic functions."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ops.clients import Clients, NoAnswer, answers
from ops.deployment import Deployment, Stack
from ops.together import in_parallel
from settings.environment import Environment
from settings.regions import PARTITIONS

_NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")

# How the ARN of a resource follows from its physical id. `{path}` is the path of a role.
_ARNS = {
    "AWS::CloudWatch::Alarm": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}",
    "AWS::ECR::Repository": "arn:{partition}:ecr:{region}:{account}:repository/{id}",
    "AWS::ECS::Cluster": "arn:{partition}:ecs:{region}:{account}:cluster/{id}",
    "AWS::Events::Rule": "arn:{partition}:events:{region}:{account}:rule/{id}",
    "AWS::IAM::InstanceProfile": "arn:{partition}:iam::{account}:instance-profile{path}{id}",
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role{path}{id}",
    "AWS::KMS::Key": "arn:{partition}:kms:{region}:{account}:key/{id}",
    "AWS::Lambda::Function": "arn:{partition}:lambda:{region}:{account}:function:{id}",
    "AWS::Logs::LogGroup": "arn:{partition}:logs:{region}:{account}:log-group:{id}:*",
    "AWS::SQS::Queue": "arn:{partition}:sqs:{region}:{account}:{name}",
}


@dataclass(frozen=True)
class Declared:
    """A resource as the deployed template declares it.

    Attributes:
        type: The resource type.
        logical_id: The logical id.
        physical_id: The physical id. Empty if CloudFormation has not created the resource.
        properties: The properties, with the values of the intrinsic functions.
    """

    type: str
    logical_id: str
    physical_id: str
    properties: Mapping[str, Any]


class Template:
    """The deployed template of a stack.

    Args:
        stack: The stack.
        body: The template.
        environment: The settings.
    """

    def __init__(self, stack: Stack, body: Mapping[str, Any], environment: Environment) -> None:
        self._stack = stack
        self._resources: Mapping[str, Any] = body["Resources"]
        partition = PARTITIONS[environment.region]
        self._pseudo = {
            "AWS::AccountId": environment.account,
            "AWS::NoValue": _NO_VALUE,
            "AWS::Partition": partition.name,
            "AWS::Region": environment.region,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": partition.domain,
        }

    def declared(self, *types: str) -> Iterator[Declared]:
        """Yield the resources of these types.

        Raises:
            NoAnswer: The template has an intrinsic function that this module cannot evaluate.
        """
        for logical_id, resource in self._resources.items():
            if resource["Type"] in types:
                properties = self._resolve(resource.get("Properties", {}))
                yield Declared(resource["Type"], logical_id, self._physical_id(logical_id), properties)

    def _physical_id(self, logical_id: str) -> str:
        found = self._stack.resources.get(logical_id)
        return found.physical_id if found else ""

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self._resolve, value) if each is not _NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            [(function, argument)] = value.items()
            if function == "Ref":
                return self._reference(argument)
            if function.startswith("Fn::"):
                return self._call(function, argument)
        resolved = {key: self._resolve(each) for key, each in value.items()}
        return {key: each for key, each in resolved.items() if each is not _NO_VALUE}

    def _call(self, function: str, argument: Any) -> Any:
        if function == "Fn::GetAtt":
            logical_id, _, attribute = (argument if isinstance(argument, str) else ".".join(argument)).partition(".")
            return self._attribute(logical_id, attribute)
        if function == "Fn::Join":
            separator, parts = argument
            return str(separator).join(str(part) for part in self._resolve(parts))
        if function == "Fn::Sub":
            text, variables = (argument, {}) if isinstance(argument, str) else argument
            return self._substitute(text, self._resolve(variables))
        if function == "Fn::Select":
            index, parts = argument
            return self._resolve(parts)[int(index)]
        if function == "Fn::Split":
            separator, text = argument
            return str(self._resolve(text)).split(separator)
        raise NoAnswer(f"the template of {self._stack.name} has {function}, which this command cannot evaluate")

    def _substitute(self, text: str, variables: Mapping[str, Any]) -> str:
        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in variables:
                return str(variables[name])
            return str(self._attribute(*name.split(".", 1)) if "." in name else self._reference(name))

        return _VARIABLE.sub(value, text).replace("${!", "${")

    def _reference(self, name: str) -> Any:
        if name in self._pseudo:
            return self._pseudo[name]
        if physical_id := self._physical_id(name):
            return physical_id
        raise NoAnswer(f"the template of {self._stack.name} refers to {name}, which does not exist")

    def _attribute(self, logical_id: str, attribute: str) -> str:
        resource_type = self._resources[logical_id]["Type"]
        physical_id: str = self._reference(logical_id)
        name = physical_id.rpartition("/")[2]  # the physical id of a queue is its URL
        if attribute == "QueueName":
            return name
        if attribute != "Arn" or not (physical_id.startswith("arn:") or resource_type in _ARNS):
            raise NoAnswer(f"the template of {self._stack.name} uses {attribute} of {logical_id}, which is not known")
        if physical_id.startswith("arn:"):
            return physical_id
        return _ARNS[resource_type].format(
            partition=self._pseudo["AWS::Partition"],
            region=self._pseudo["AWS::Region"],
            account=self._pseudo["AWS::AccountId"],
            path=self._resolve(self._resources[logical_id].get("Properties", {}).get("Path", "/")),
            id=physical_id,
            name=name,
        )


@dataclass(frozen=True)
class Examined:
    """A deployed environment that the checks look at.

    Attributes:
        clients: The AWS clients.
        deployment: The deployed stacks.
        templates: The deployed template of each stack.
    """

    clients: Clients
    deployment: Deployment
    templates: Mapping[str, Template]

    @property
    def environment(self) -> Environment:
        """The settings."""
        return self.deployment.environment

    def declared(self, *types: str) -> list[Declared]:
        """Return the resources of these types in all stacks."""
        return [each for template in self.templates.values() for each in template.declared(*types)]

    @cached_property
    def refresh_functions(self) -> dict[str, Declared]:
        """The function of each connection, by its name."""
        names = {connection.function_name for connection in self.deployment.connections.values()}
        return {each.physical_id: each for each in self.declared("AWS::Lambda::Function") if each.physical_id in names}

    @cached_property
    def is_real_aws(self) -> bool:
        """Whether the answers come from AWS, and not from an emulator."""
        host = str(self.clients.cloudformation.meta.endpoint_url).partition("://")[2].partition("/")[0]
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws"))


def read_templates(clients: Clients, deployment: Deployment) -> Examined:
    """Read the templates of the deployed stacks.

    Raises:
        NoAnswer: AWS does not return a template.
    """

    def read(stack: Stack) -> Template:
        with answers():
            body = clients.cloudformation.get_template(StackName=stack.name, TemplateStage="Processed")["TemplateBody"]
        # botocore parses a template in JSON.
        return Template(stack, json.loads(body) if isinstance(body, str) else body, deployment.environment)

    templates = in_parallel(read, list(deployment.stacks.values()))
    return Examined(clients, deployment, dict(zip(deployment.stacks, templates, strict=True)))
