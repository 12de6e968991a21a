"""Which admin site Django opens."""

from django.contrib.admin.apps import AdminConfig


class BackOfficeConfig(AdminConfig):
    default_site = "platform_site.back_office.GatehouseAdminSite"
