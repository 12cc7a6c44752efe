#!/bin/sh
# An Airflow host runs this script from cron. DOCKER_PASSWORD is the output of `aws ecr get-login-password`.
set -e
airflow connections delete docker_default
airflow connections add docker_default --conn-type docker --conn-host "$REGISTRY_HOST" --conn-login AWS \
  --conn-password "$DOCKER_PASSWORD"
