"""The lifecycle policy of a repository, as the JSON text that ECR stores.

The facts are from the ECR user guide, "Lifecycle policy evaluation rules", "Lifecycle policy properties" and "Examples
of lifecycle policies":

- A lower number in `rulePriority` means a higher priority. The numbers are unique, and a rule with the tag status `any`
  has the highest number.
- A rule cannot delete an image that matches the tags of a rule with a higher priority. A rule that deletes nothing thus
  protects its images from all later rules.
- An image must match all patterns of a rule. Each protected pattern is therefore a rule of its own.
- A later rule still counts the images that it cannot delete. No pattern can exclude tags, so a rule cannot count only
  the images without protected tags.
"""

import json
from typing import Any

from settings.environment import Lifecycle

# The default quota "Images per repository" of ECR. A rule with this number of images deletes nothing. The documentation
# says that every positive integer is accepted, and names no largest number.
MOST_IMAGES = 100_000


def lifecycle_policy_text(lifecycle: Lifecycle) -> str | None:
    """Return the text of the lifecycle policy, or None if no rule could delete an image."""
    if not lifecycle.deletes:
        return None
    deleting = []
    if days := lifecycle.expire_untagged_after_days:
        age = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
        deleting.append((f"Delete untagged images {days} days after the push", {"tagStatus": "untagged", **age}))
    if count := lifecycle.keep_images:
        deleting.append((f"Keep the newest {count} images", {"tagStatus": "any", **_more_than(count)}))
    protecting = [
        (f"Keep {pattern}", {"tagStatus": "tagged", "tagPatternList": [pattern], **_more_than(MOST_IMAGES)})
        for pattern in lifecycle.protected_tags
    ]
    rules = [
        {"rulePriority": priority, "description": description, "selection": selection, "action": {"type": "expire"}}
        for priority, (description, selection) in enumerate([*protecting, *deleting], 1)
    ]
    return json.dumps({"rules": rules}, separators=(",", ":"))


def _more_than(count: int) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": count}
