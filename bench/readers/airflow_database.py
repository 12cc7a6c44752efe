"""Read the connection `docker_default` from Airflow's metadata database."""

from airflow.models.connection import Connection

from bench.readers.reading import main

if __name__ == "__main__":

    def read() -> dict[str, str | None]:
        found = Connection.get_connection_from_secrets("docker_default")
        return {"conn_type": found.conn_type, "host": found.host, "login": found.login, "password": found.password}

    main(read)
