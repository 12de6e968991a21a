"""Which admin site Django opens."""

from django.conf import settings
from django.contrib.admin.apps import AdminConfig


class BackOfficeConfig(AdminConfig):
    default_site = "platform_site.back_office.GatehouseAdminSite"

    def ready(self) -> None:
        super().ready()
        # Models can be imported now.
        from platform_site import forgetting

        forgetting.listen()
        if settings.TRACING:
            from platform_site import tracing

            tracing.start()
