"""The WSGI entry point: `granian --interface wsgi wsgi:app`, or `gunicorn wsgi:app`."""

from gateway.app import configure_logging, create_app
from gateway.settings import load_settings

settings = load_settings()
configure_logging(settings.log_level)
app = create_app(settings)
