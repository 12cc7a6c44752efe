"""Scrape the web in the image that the team analytics pushes to ECR.

The connection `docker_default` holds the docker login: Airflow reads it from Secrets Manager, where it is renewed by
itself. Airflow Variables make the same DAG run in every environment:

- `ecr_registry`: the deploy's output RegistryHost
- `web_scraper_digest`: which image the pinned task runs, `sha256:…`, as `docker push` prints it
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
        # A registry or network that fails now mostly works some minutes later; a third failure is somebody's business.
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        # A container that hangs would hold its slot for ever.
        "execution_timeout": timedelta(hours=1),
    },
) as dag:
    # A tag that is set once: what is pulled the first time stays right for ever, so it need not be pulled again.
    scrape = DockerOperator(
        task_id="scrape",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper:1",
        docker_conn_id="docker_default",  # without it the operator logs in nowhere
        auto_remove="force",  # the container goes, also when it failed
        mount_tmp_dir=False,
    )

    # The image by its digest: no tag that moves can change what runs. A new one is rolled out by setting the Variable.
    scrape_pinned = DockerOperator(
        task_id="scrape_pinned",
        image="{{ var.value.ecr_registry }}/analytics/web-scraper@{{ var.value.web_scraper_digest }}",
        docker_conn_id="docker_default",
        auto_remove="force",
        mount_tmp_dir=False,
    )

    scrape >> scrape_pinned
