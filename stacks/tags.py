"""The tags of the settings on the stacks and on their resources."""

from collections.abc import Mapping

from aws_cdk import Stack, Stage, Tags


def tag_stage(stage: Stage, tags: Mapping[str, str]) -> None:
    """Give tags to every stack of a stage, and to every resource that CDK can tag.

    CDK cannot tag the function and the role that it creates to run the first refreshes. `restrict_provider` tags them.

    Args:
        stage: The stage with all of its stacks.
        tags: A dict from keys to values.
    """
    stacks = [each for each in stage.node.children if isinstance(each, Stack)]
    for key, value in tags.items():
        Tags.of(stage).add(key, value)
        # Because of the feature flag explicitStackTags, the line above does not tag the stacks themselves.
        for stack in stacks:
            stack.tags.set_tag(key, value)
