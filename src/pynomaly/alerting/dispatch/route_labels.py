"""Labels of routes, whose values may be templates."""

import logging
from dataclasses import replace

from pynomaly.alerting.channels.messages import message_data
from pynomaly.alerting.contract import Notification
from pynomaly.gotemplate.alertmanager import MessageTemplates
from pynomaly.gotemplate.errors import TemplateError
from pynomaly.gotemplate.times import moment
from pynomaly.model.clock import Clock
from pynomaly.model.labels import Labels

log = logging.getLogger(__name__)


class RouteLabels:
    """Renders them for one notification; one that cannot be rendered is left out, and logged."""

    def __init__(self, templates: MessageTemplates, external_url: str, clock: Clock) -> None:
        self._templates = templates
        self._external_url = external_url
        self._clock = clock

    def __call__(self, notification: Notification) -> Labels:
        """The labels as texts."""
        data = message_data(notification, self._external_url)
        data = replace(data, route_labels_rendered=False)
        now, rendered = moment(self._clock.now()), {}
        for name, value in notification.route_labels.pairs:
            try:
                rendered[name] = self._templates.text(value, data, now)
            except TemplateError as error:
                log.error("the label %r of the route of %s: %s", name, data.receiver, error)
        return Labels(rendered)
