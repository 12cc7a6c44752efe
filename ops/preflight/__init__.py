"""`ecr-login preflight`: find problems of the AWS account before a deployment. `checks` lists the checks."""

from ops.preflight.run import command as command
