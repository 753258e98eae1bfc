"""The landing page, the operator's status page and health checks."""
