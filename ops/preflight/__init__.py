"""Find problems of the AWS account before a deployment. `run` starts the checks, and `checks` lists them."""
