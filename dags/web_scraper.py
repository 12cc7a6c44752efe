"""Scrape the web with an image that the team analytics pushes to ECR.

The connection `docker_default` contains the docker login. Airflow reads the connection from Secrets Manager, and a
schedule renews the login there. The same DAG works in every environment, because each environment sets these Airflow
Variables:

- `ecr_registry`: the stack output RegistryHost
- `web_scraper_digest`: the digest (`sha256:…`) of the image that the task `scrape_pinned` runs. `docker push` prints
  the digest.
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.docker.operators.docker import DockerOperator

with DAG(
    dag_id="web_scraper",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={
        # Most failures of the registry and of the network last only some minutes.
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        # Without a timeout, a container that hangs occupies its task slot forever.
        "execution_timeout": timedelta(hours=1),
    },
) as dag:
    # The tag is immutable. An image that a worker pulled once stays correct, so the worker does not pull it again.
    scrape = DockerOperator(
        task_id="scrape",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper:1",
        docker_conn_id="docker_default",  # Without a connection, the operator does not log in.
        auto_remove="force",  # The operator removes the container, also after a failure.
        mount_tmp_dir=False,
    )

    # This task selects the image by its digest, so a change of a tag does not change the image. To run another image,
    # set the Variable to another digest.
    scrape_pinned = DockerOperator(
        task_id="scrape_pinned",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper@{{ var.value.web_scraper_digest }}",
        docker_conn_id="docker_default",
        auto_remove="force",
        mount_tmp_dir=False,
    )

    scrape >> scrape_pinned
