"""Scrape the web with an image that the team analytics pushes to ECR.

The connection `docker_default` holds the docker login. Airflow reads it from Secrets Manager, where a schedule renews
it. The same DAG works in every environment, because these Airflow Variables differ:

- `ecr_registry`: the deploy's output RegistryHost
- `web_scraper_digest`: the digest of the image that the pinned task runs, `sha256:…`, as `docker push` prints it
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
        # A registry or network that fails usually works again some minutes later.
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        # Without a timeout, a container that hangs keeps its slot forever.
        "execution_timeout": timedelta(hours=1),
    },
) as dag:
    # The tag is immutable, so an image that was pulled once stays correct and is not pulled again.
    scrape = DockerOperator(
        task_id="scrape",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper:1",
        docker_conn_id="docker_default",  # Without it the operator does not log in.
        auto_remove="force",  # Removes the container, also after a failure.
        mount_tmp_dir=False,
    )

    # The image by its digest, which no tag can change. Set the Variable to run another image.
    scrape_pinned = DockerOperator(
        task_id="scrape_pinned",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper@{{ var.value.web_scraper_digest }}",
        docker_conn_id="docker_default",
        auto_remove="force",
        mount_tmp_dir=False,
    )

    scrape >> scrape_pinned
