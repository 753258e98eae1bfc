"""The landing page, the public price pages (index, conversion, concentration), the status page and health checks."""
