"""Commands for the people who run a deployment. They read the settings and what is deployed."""
