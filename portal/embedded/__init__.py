"""The Postgres, Valkey and process runner behind bin/run and bin/test: no Docker, no system packages."""
