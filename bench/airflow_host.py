"""An Airflow host with a metadata database, and the cron script that refreshes the docker login in this database."""

import base64
import secrets
import sqlite3
import subprocess
from pathlib import Path

from cryptography.fernet import Fernet

from bench.aws_stub import REGISTRY_HOST, NotWritten
from bench.environments import AIRFLOW, bare_environment
from bench.functions import VARIANTS
from bench.processes import Cost, cost_of

_PASSWORD_BYTES = 1900  # 2.5 kB in base64, which is the size of ECR's password


class AirflowHost:
    """An Airflow host. After the initialization, its database contains the connection `docker_default`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fernet = Fernet(key := Fernet.generate_key())
        self.environment = {
            **bare_environment(AIRFLOW),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__FERNET_KEY": key.decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "REGISTRY_HOST": REGISTRY_HOST,
        }
        add = ["connections", "add", "docker_default", "--conn-type", "docker"]
        for command in (["db", "migrate"], add):
            subprocess.run(
                [AIRFLOW / "bin" / "airflow", *command], env=self.environment, check=True, capture_output=True
            )
        self.run_cron_script()

    def run_cron_script(self) -> Cost:
        """Run the script once and return its cost.

        The script gets a token as an environment variable, so the cost does not include the request to ECR.

        Raises:
            BenchFailed: The script failed.
            NotWritten: The script did not write the docker login.
        """
        password = base64.b64encode(secrets.token_bytes(_PASSWORD_BYTES)).decode()
        environment = {**self.environment, "DOCKER_PASSWORD": password}
        cost = cost_of([VARIANTS / "cron_script.sh"], environment, self._folder)
        self._check_written(password)
        return cost

    def _check_written(self, password: str) -> None:
        query = "SELECT conn_type, host, login, password FROM connection WHERE conn_id = 'docker_default'"
        database = sqlite3.connect(self._folder / "airflow.db")
        try:
            [(*login, encrypted)] = database.execute(query)
        finally:
            database.close()
        if login != ["docker", REGISTRY_HOST, "AWS"] or self._fernet.decrypt(encrypted).decode() != password:
            raise NotWritten("Airflow's database does not contain the docker login that the cron script received")
