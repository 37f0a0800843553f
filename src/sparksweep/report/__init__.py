"""A run as one HTML page that needs nothing else: ranking, fold spread, parameters, settings, failed fits.

``content`` puts together what the page says, ``page`` fills ``report.html.jinja`` with it.
"""

from sparksweep.report.page import render_report

__all__ = ["render_report"]
