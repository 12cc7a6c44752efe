"""Commands for the people who run a deployment. The commands read the settings and the deployed resources."""
